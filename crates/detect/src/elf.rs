//! What is read of an ELF file: its dynamic linker and where a few of its parts are. Tables are read in bounds, whatever
//! the header claims, and nothing else of the file is.

use std::ops::Range;

use object::elf::{FileHeader32, FileHeader64, PF_W, PT_INTERP, PT_LOAD, SHT_NOBITS};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, pod};

use crate::auxv::Width;
use crate::read::{ReadAt, piece};

/// Most program headers that are looked at; real files have about ten.
const MAX_SEGMENTS: u16 = 128;

/// Most section headers that are looked at; real programs have about forty.
const MAX_SECTIONS: u16 = 1024;

/// Most bytes of section names that are looked at.
const MAX_NAMES: u64 = 64 * 1024;

/// Longest path of a dynamic linker that is believed.
const MAX_INTERPRETER: u64 = 4096;

/// An ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// How wide its words are.
    pub width: Width,
    /// Path of its dynamic linker; `None` for a static program.
    pub interpreter: Option<Vec<u8>>,
    /// The parts that are mapped into memory.
    pub(crate) loads: Vec<Load>,
    /// Where `.go.buildinfo` is in the file.
    pub(crate) go_build_info: Option<Range<u64>>,
    /// Where `.comment` is in the file: what the compilers wrote.
    pub(crate) comment: Option<Range<u64>>,
    /// Where `.rodata` is in the file.
    pub(crate) constants: Option<Range<u64>>,
    /// Where `.dynstr` is in the file: the names of what it exports.
    pub(crate) exports: Option<Range<u64>>,
}

/// A part of the file that is mapped into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) address: u64,
    pub(crate) file: Range<u64>,
    pub(crate) writable: bool,
}

impl Elf {
    /// Reads the headers. `None` for what is no ELF file, or one that cannot be read.
    pub fn read(source: &(impl ReadAt + ?Sized)) -> Option<Self> {
        let head = piece(source, 0, size_of::<FileHeader64<Endianness>>())?;
        Self::of_class::<FileHeader64<Endianness>>(source, &head)
            .or_else(|| Self::of_class::<FileHeader32<Endianness>>(source, &head))
    }

    /// One that has none of the parts.
    pub(crate) const fn empty(width: Width) -> Self {
        Self {
            width,
            interpreter: None,
            loads: Vec::new(),
            go_build_info: None,
            comment: None,
            constants: None,
            exports: None,
        }
    }

    fn of_class<H: FileHeader<Endian = Endianness>>(source: &(impl ReadAt + ?Sized), head: &[u8]) -> Option<Self> {
        let (header, _) = pod::from_bytes::<H>(head).ok()?;
        if !header.is_supported() {
            return None;
        }
        let endian = header.endian().ok()?;
        let width = if header.is_type_64() { Width::Wide } else { Width::Narrow };
        let mut elf = Self::empty(width);
        if usize::from(header.e_phentsize(endian)) == size_of::<H::ProgramHeader>() {
            let count = header.e_phnum(endian).min(MAX_SEGMENTS);
            elf.read_segments::<H>(source, endian, header.e_phoff(endian).into(), count);
        }
        if usize::from(header.e_shentsize(endian)) == size_of::<H::SectionHeader>() {
            let count = header.e_shnum(endian).min(MAX_SECTIONS);
            elf.read_sections::<H>(source, endian, header, count);
        }
        Some(elf)
    }

    fn read_segments<H: FileHeader<Endian = Endianness>>(
        &mut self,
        source: &(impl ReadAt + ?Sized),
        endian: Endianness,
        offset: u64,
        count: u16,
    ) -> Option<()> {
        let table = piece(source, offset, usize::from(count) * size_of::<H::ProgramHeader>())?;
        let (segments, _) = pod::slice_from_bytes::<H::ProgramHeader>(&table, count.into()).ok()?;
        for segment in segments {
            let file = range(segment.p_offset(endian).into(), segment.p_filesz(endian).into());
            match segment.p_type(endian) {
                PT_LOAD => self.loads.push(Load {
                    address: segment.p_vaddr(endian).into(),
                    file,
                    writable: segment.p_flags(endian) & PF_W != 0,
                }),
                PT_INTERP => {
                    let length = (file.end - file.start).min(MAX_INTERPRETER);
                    let path = piece(source, file.start, usize::try_from(length).ok()?)?;
                    self.interpreter = path.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
                }
                _ => {}
            }
        }
        Some(())
    }

    fn read_sections<H: FileHeader<Endian = Endianness>>(
        &mut self,
        source: &(impl ReadAt + ?Sized),
        endian: Endianness,
        header: &H,
        count: u16,
    ) -> Option<()> {
        let table = piece(source, header.e_shoff(endian).into(), usize::from(count) * size_of::<H::SectionHeader>())?;
        let (sections, _) = pod::slice_from_bytes::<H::SectionHeader>(&table, count.into()).ok()?;
        let place =
            |section: &H::SectionHeader| range(section.sh_offset(endian).into(), section.sh_size(endian).into());
        let names = place(sections.get(usize::from(header.e_shstrndx(endian)))?);
        let names = piece(source, names.start, usize::try_from((names.end - names.start).min(MAX_NAMES)).ok()?)?;
        for section in sections.iter().filter(|section| section.sh_type(endian) != SHT_NOBITS) {
            let name = usize::try_from(section.sh_name(endian)).ok().and_then(|start| names.get(start..));
            let part = match name.and_then(|name| name.split(|byte| *byte == 0).next()) {
                Some(b".go.buildinfo") => &mut self.go_build_info,
                Some(b".comment") => &mut self.comment,
                Some(b".rodata") => &mut self.constants,
                Some(b".dynstr") => &mut self.exports,
                _ => continue,
            };
            *part = Some(place(section));
        }
        Some(())
    }

    /// Where in the file an address of the program's memory comes from.
    pub(crate) fn offset(&self, address: u64) -> Option<u64> {
        self.loads.iter().find_map(|load| {
            let into = address.checked_sub(load.address)?;
            (into < load.file.end - load.file.start).then(|| load.file.start.saturating_add(into))
        })
    }
}

/// A range that never wraps around.
fn range(start: u64, length: u64) -> Range<u64> {
    start..start.saturating_add(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Elf;

    #[test]
    fn this_very_program_is_understood() {
        let program = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::read(&program).unwrap();
        assert!(elf.interpreter.is_some_and(|path| path.starts_with(b"/lib")));
        assert!(elf.comment.is_some() && elf.constants.is_some() && elf.loads.iter().any(|load| load.writable));
    }

    #[test]
    fn what_is_no_program_is_none() {
        assert_eq!(Elf::read(b"#!/bin/sh\n".as_slice()), None);
        assert_eq!(Elf::read(b"\x7fELF".as_slice()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, class in 1u8..=2, data in 1u8..=2) {
            for (to, from) in bytes.iter_mut().zip([0x7f, b'E', b'L', b'F', class, data, 1]) {
                *to = from;
            }
            if let Some(elf) = Elf::read(bytes.as_slice()) {
                elf.offset(u64::MAX);
            }
        }
    }
}
