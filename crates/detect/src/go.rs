//! The build information that the Go linker leaves in every program: proof of Go, and its version.

use memchr::memmem;

use crate::auxv::Width;
use crate::elf::Elf;
use crate::read::{ReadAt, piece};
use crate::version::version;

const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The information begins at a multiple of this.
const ALIGNMENT: usize = 16;

/// Where the text begins in the format since Go 1.18; before that, there are two pointers instead.
const INLINE_AT: usize = 32;

/// How far into the data the information is looked for.
const SEARCHED: usize = 64 * 1024;

/// Longest version text that is believed, with the experiments that may follow it.
const MAX_VERSION: usize = 1024;

/// A Go program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoProgram {
    /// The version of the Go that built it, without the word `go`; a toolchain between releases may have none.
    pub(crate) version: Option<String>,
}

impl GoProgram {
    /// Looks for the build information. `None` for a program that is not Go's.
    pub(crate) fn read(source: &(impl ReadAt + ?Sized), elf: &Elf) -> Option<Self> {
        // Without sections it is at the beginning of the first data that can be written.
        let data = || elf.loads.iter().find(|load| load.writable).map(|load| load.file.clone());
        let place = elf.go_build_info.clone().or_else(data)?;
        let length = usize::try_from(place.end - place.start).map_or(SEARCHED, |length| length.min(SEARCHED));
        let bytes = piece(source, place.start, length)?;
        let start = memmem::find_iter(&bytes, MAGIC).find(|at| at % ALIGNMENT == 0)?;
        Some(Self { version: text(source, elf, bytes.get(start..)?).and_then(|text| released(&text)) })
    }
}

/// The version text, in either format.
fn text(source: &(impl ReadAt + ?Sized), elf: &Elf, info: &[u8]) -> Option<Vec<u8>> {
    let flags = *info.get(MAGIC.len() + 1)?;
    if flags & 2 != 0 {
        let (length, text) = length(info.get(INLINE_AT..)?)?;
        return text.get(..length.min(MAX_VERSION)).map(<[u8]>::to_vec);
    }
    let big = flags & 1 != 0;
    let size = if elf.width == Width::Wide { 8 } else { 4 };
    let word = |bytes: &[u8]| {
        let fold = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
    };
    let header = word(info.get(ALIGNMENT..ALIGNMENT + size)?);
    let header = piece(source, elf.offset(header)?, 2 * size)?;
    let (address, length) = (word(header.get(..size)?), word(header.get(size..2 * size)?));
    let length = usize::try_from(length).map_or(MAX_VERSION, |length| length.min(MAX_VERSION));
    piece(source, elf.offset(address)?, length)
}

/// A length of seven bits to the byte, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let (length, rest) = bytes.split_at_checked(last + 1)?;
    Some((length.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f)), rest))
}

/// `1.22.3` of `go1.22.3`, `go1.22.3 X:boringcrypto` or `devel go1.23-0a1b2c Tue`.
fn released(text: &[u8]) -> Option<String> {
    let mut words = text.split(|byte| matches!(byte, b' ' | b'-'));
    words.find_map(|word| version(word.strip_prefix(b"go")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{GoProgram, length, released};
    use crate::auxv::Width;
    use crate::elf::{Elf, Load};

    fn elf(width: Width, length: u64) -> Elf {
        Elf { loads: vec![Load { address: 0x1000, file: 0..length, writable: true }], ..Elf::empty(width) }
    }

    fn found(file: &[u8], width: Width) -> Option<GoProgram> {
        GoProgram::read(file, &elf(width, file.len() as u64))
    }

    fn is(version: &str) -> Option<GoProgram> {
        Some(GoProgram { version: Some(version.into()) })
    }

    #[test]
    fn the_format_since_go_1_18_is_read() {
        let mut file = vec![0; 32];
        file.extend_from_slice(b"\xff Go buildinf:\x08\x02");
        file.extend_from_slice(&[0; 16]);
        file.extend_from_slice(b"\x08go1.22.3\x00");
        assert_eq!(found(&file, Width::Wide), is("1.22.3"));
    }

    #[test]
    fn the_format_before_go_1_18_is_read_in_both_widths_and_orders() {
        let mut file = b"\xff Go buildinf:\x08\x00".to_vec();
        file.extend_from_slice(&0x1020u64.to_le_bytes());
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&0x1030u64.to_le_bytes());
        file.extend_from_slice(&8u64.to_le_bytes());
        file.extend_from_slice(b"go1.17.5");
        assert_eq!(found(&file, Width::Wide), is("1.17.5"));

        let mut file = b"\xff Go buildinf:\x04\x01".to_vec();
        for word in [0x1020u32, 0, 0, 0, 0x1028, 8] {
            file.extend_from_slice(&word.to_be_bytes());
        }
        file.extend_from_slice(b"go1.17.5");
        assert_eq!(found(&file, Width::Narrow), is("1.17.5"));
    }

    #[test]
    fn pointers_to_nowhere_leave_a_go_program_without_a_version() {
        let mut file = b"\xff Go buildinf:\x08\x00".to_vec();
        file.extend_from_slice(&[0xff; 16]);
        assert_eq!(found(&file, Width::Wide), Some(GoProgram { version: None }));
        assert_eq!(found(b"\xff Go buildinf:", Width::Wide), Some(GoProgram { version: None }));
    }

    #[test]
    fn the_magic_words_elsewhere_prove_nothing() {
        assert_eq!(found(b"text \xff Go buildinf:\x08\x02", Width::Wide), None);
        assert_eq!(found(b"", Width::Wide), None);
    }

    #[test]
    fn the_release_is_found_in_what_follows_it_and_goes_before() {
        for (text, version) in [
            ("go1.22.3 X:boringcrypto", Some("1.22.3")),
            ("devel go1.23-0a1b2c Tue", Some("1.23")),
            ("go1.24rc1", Some("1.24rc1")),
            ("devel +0a1b2c", None),
        ] {
            assert_eq!(released(text.as_bytes()).as_deref(), version);
        }
        assert_eq!(length(&[0x81, 0x01, b'x']), Some((129, b"x".as_slice())));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, flags: u8, wide: bool) {
            let file = [b"\xff Go buildinf:\x08".as_slice(), &[flags], &bytes].concat();
            found(&file, if wide { Width::Wide } else { Width::Narrow });
        }
    }
}
