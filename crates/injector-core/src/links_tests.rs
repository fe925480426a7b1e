//! Finding the environment in processes that are made of bytes.

use std::{collections::BTreeMap, string::String, vec, vec::Vec};

use proptest::prelude::*;

use crate::{
    auxiliary::Auxiliary,
    links::{Survey, survey},
    symbols::Memory,
};

/// Memory with some pieces in it, and nothing between them.
#[derive(Default)]
struct Pieces(BTreeMap<u64, Vec<u8>>);

impl Memory for Pieces {
    fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let (start, bytes) = self.0.range(..=address).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        bytes.get(from..from.checked_add(N)?)?.try_into().ok()
    }
}

impl Pieces {
    fn put(&mut self, address: u64, bytes: impl Into<Vec<u8>>) {
        self.0.insert(address, bytes.into());
    }

    fn put_words(&mut self, address: u64, words: &[u64]) {
        self.put(address, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    }

    fn put_halves(&mut self, address: u64, halves: &[u32]) {
        self.put(address, halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<_>>());
    }
}

/// How a library is hashed.
#[derive(Clone, Copy)]
enum Table {
    Gnu,
    /// As `Gnu`, with no symbol in any bucket.
    GnuEmpty,
    SystemV,
}

const PROGRAM: u64 = 0x55_0000_0000;
const LIBRARY: u64 = 0x7f_0000_0000;
const HEADERS: u64 = PROGRAM + 0x40;
const OWN: u64 = 0x7e_0000_0000;

const AUXILIARY: Auxiliary = Auxiliary { headers: HEADERS, count: 2, secure: false };

/// A library at `base` that defines the names, each at 0x1000 and 8 times its index; its dynamic section is at 0x100.
fn library(memory: &mut Pieces, base: u64, table: Table, relocated: bool, names: &[&str]) {
    let address = |offset: u64| if relocated { base + offset } else { offset };
    let mut strings = vec![0];
    let mut symbols = vec![0; 24];
    for (index, name) in names.iter().enumerate() {
        symbols.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
        symbols.extend([0x21, 0, 7, 0]);
        symbols.extend((0x1000 + 8 * index as u64).to_le_bytes());
        symbols.extend(8_u64.to_le_bytes());
        strings.extend(name.bytes().chain([0]));
    }
    let tag = if matches!(table, Table::SystemV) { 4 } else { 0x6fff_fef5 };
    memory.put_words(
        base + 0x100,
        &[5, address(0x300), 10, strings.len() as u64, 6, address(0x400), tag, address(0x200), 21, 0x9000, 0, 0],
    );
    memory.put(base + 0x300, strings);
    memory.put(base + 0x400, symbols);
    let count = u32::try_from(names.len()).unwrap();
    match table {
        Table::Gnu => {
            let mut words = vec![1, 1, 1, 6, u32::MAX, u32::MAX, u32::from(count > 0)];
            words.extend(names.iter().enumerate().map(|(index, name)| {
                let hash =
                    name.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)));
                (hash & !1) | u32::from(index + 1 == names.len())
            }));
            memory.put_halves(base + 0x200, &words);
        }
        Table::GnuEmpty => memory.put_halves(base + 0x200, &[1, 1, 1, 6, u32::MAX, u32::MAX, 0]),
        Table::SystemV => {
            let mut words = vec![1, count + 1, u32::from(count > 0), 0];
            words.extend((1..=count).map(|index| if index == count { 0 } else { index + 1 }));
            memory.put_halves(base + 0x200, &words);
        }
    }
}

/// A process of a program, this library, and a C library.
fn process() -> Pieces {
    let mut memory = Pieces::default();
    memory.put_words(HEADERS, &[6, 0, 0x40, 0, 0, 0, 0, 2, 0, 0x100, 0, 0, 0, 0]);
    memory.put_words(0x9000, &[1, 0xa000]);
    memory.put_words(0xa000, &[PROGRAM, 0xb000, PROGRAM + 0x100, 0xa100]);
    memory.put_words(0xa100, &[0x7e_0000_0000, 0xb010, OWN, 0xa200]);
    memory.put_words(0xa200, &[LIBRARY, 0xb020, LIBRARY + 0x100, 0]);
    memory.put(0xb000, b"\0".to_vec());
    memory.put(0xb010, b"/a\0".to_vec());
    memory.put(0xb020, b"libc\0".to_vec());
    memory
}

const NAMES: [&str; 3] = ["environ", "__environ", "_environ"];

#[test]
fn the_c_librarys_environment_is_found_by_either_kind_of_table() {
    for table in [Table::Gnu, Table::SystemV] {
        for relocated in [true, false] {
            let mut memory = process();
            library(&mut memory, PROGRAM, table, relocated, &[]);
            library(&mut memory, LIBRARY, table, relocated, &NAMES);
            let environments = [Some(LIBRARY + 0x1008), Some(LIBRARY + 0x1000), Some(LIBRARY + 0x1010)];
            assert_eq!(survey(&memory, &AUXILIARY, OWN), Some(Survey { environments, path: Some(0xb010) }));
        }
    }
}

#[test]
fn a_programs_own_copy_counts_before_the_c_librarys() {
    let mut memory = process();
    library(&mut memory, PROGRAM, Table::Gnu, true, &["environ"]);
    library(&mut memory, LIBRARY, Table::Gnu, true, &NAMES);
    let found = survey(&memory, &AUXILIARY, OWN).unwrap();
    assert_eq!(found.environments, [Some(LIBRARY + 0x1008), Some(PROGRAM + 0x1000), Some(LIBRARY + 0x1010)]);
}

#[test]
fn an_empty_bucket_holds_nothing() {
    let mut memory = process();
    library(&mut memory, PROGRAM, Table::GnuEmpty, true, &NAMES);
    library(&mut memory, LIBRARY, Table::GnuEmpty, true, &NAMES);
    assert_eq!(survey(&memory, &AUXILIARY, OWN).unwrap().environments, [None; 3]);
}

#[test]
fn the_kernels_own_library_is_passed_over() {
    let mut memory = process();
    library(&mut memory, PROGRAM, Table::Gnu, true, &[]);
    library(&mut memory, LIBRARY, Table::Gnu, true, &NAMES);
    memory.put(0xb020, b"linux-vdso.so.1\0".to_vec());
    assert_eq!(survey(&memory, &AUXILIARY, OWN).unwrap().environments, [None; 3]);
}

#[test]
fn a_program_without_a_dynamic_linker_is_refused() {
    let mut memory = process();
    library(&mut memory, PROGRAM, Table::Gnu, true, &[]);
    memory.put_words(PROGRAM + 0x100, &[21, 0, 0, 0]);
    assert_eq!(survey(&memory, &AUXILIARY, OWN), None);
    memory.put_words(PROGRAM + 0x100, &[0, 0]);
    assert_eq!(survey(&memory, &AUXILIARY, OWN), None);
    assert_eq!(survey(&memory, &Auxiliary { count: 0, ..AUXILIARY }, OWN), None);
}

#[test]
fn libraries_that_lead_in_a_circle_come_to_an_end() {
    let mut memory = process();
    library(&mut memory, PROGRAM, Table::SystemV, true, &["other"]);
    library(&mut memory, LIBRARY, Table::Gnu, true, &[]);
    memory.put_halves(PROGRAM + 0x200, &[1, 2, 1, 0, 1]);
    memory.put_words(0xa200, &[LIBRARY, 0xb020, LIBRARY + 0x100, 0xa000]);
    assert_eq!(survey(&memory, &AUXILIARY, OWN).unwrap().environments, [None; 3]);
}

proptest! {
    #[test]
    fn no_table_whatever_is_in_it_does_harm(
        garbage in proptest::collection::vec((0_u64..0x60, any::<u64>()), 1..6), system_v in any::<bool>(), name in "[a-z_]{0,9}",
    ) {
        let mut memory = process();
        let table = if system_v { Table::SystemV } else { Table::Gnu };
        library(&mut memory, PROGRAM, table, true, &[&String::from("x")]);
        library(&mut memory, LIBRARY, table, true, &[&name, "environ"]);
        for (offset, value) in garbage {
            for piece in [0x100, 0x200, 0x400] {
                if let Some(bytes) = memory.0.get_mut(&(LIBRARY + piece)) {
                    let at = usize::try_from(offset).unwrap() % bytes.len();
                    bytes.iter_mut().skip(at).zip(value.to_le_bytes()).for_each(|(old, new)| *old = new);
                }
            }
        }
        survey(&memory, &AUXILIARY, OWN);
    }
}
