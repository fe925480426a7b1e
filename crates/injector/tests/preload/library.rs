//! The library as a file.

use object::elf;
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSection as _};

use crate::stage::library;

/// What the library may weigh, in bytes.
const LIMIT: usize = 32 * 1024;

#[test]
fn the_library_needs_nothing_and_exports_nothing() {
    let bytes = std::fs::read(library()).expect("read the library");
    let file = ElfFile64::<Endianness>::parse(&*bytes).expect("parse the library");
    assert_eq!(file.dynamic_symbols().count(), 0, "a symbol is exported or needed");
    assert_eq!(file.symbols().count(), 0, "it is not stripped");

    let endian = file.endian();
    let headers = file.elf_header().program_headers(endian, &*bytes).expect("program headers");
    let mut tags = Vec::new();
    for header in headers {
        assert_ne!(header.p_type(endian), elf::PT_TLS, "it has thread-local storage");
        if header.p_type(endian) == elf::PT_GNU_STACK {
            assert_eq!(header.p_flags(endian) & elf::PF_X, 0, "its stack is executable");
        }
        if let Some(entries) = header.dynamic(endian, &*bytes).expect("a dynamic section") {
            tags.extend(entries.iter().map(|entry| entry.tag(endian)));
        }
    }
    assert!(tags.contains(&elf::DT_INIT_ARRAY), "it never runs");
    for tag in [elf::DT_NEEDED, elf::DT_TEXTREL] {
        assert!(!tags.contains(&tag), "{tag}");
    }
}

#[test]
fn the_library_is_small_and_has_no_path_that_panics() {
    let bytes = std::fs::read(library()).expect("read the library");
    assert!(bytes.len() <= LIMIT, "{} bytes", bytes.len());
    let file = ElfFile64::<Endianness>::parse(&*bytes).expect("parse the library");
    let names: Vec<_> = file.sections().filter_map(|section| section.name().ok()).collect();
    // Linked only where something calls it.
    assert!(!names.contains(&".panic"), "a panic is possible: {names:?}");
}
