//! Walks the libraries of a process, to find where its environment hangs and which path this library was loaded from.

use crate::{
    auxiliary::Auxiliary,
    symbols::{Memory, Symbols, entry},
};

/// How many program headers, entries of a dynamic section and libraries are looked at.
const LIMIT: u64 = 512;

/// The names by which C libraries know the environment. The first is the one that they use themselves.
const ENVIRONMENT: [&[u8]; 3] = [b"__environ", b"environ", b"_environ"];

/// What the libraries of a process tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Addresses of the pointers to the environment, the one that the C library uses first. A program may have its own
    /// copy of one of them, which then counts for the C library too.
    pub environments: [Option<u64>; ENVIRONMENT.len()],
    /// Address of the path that this library was loaded from, ended by a zero byte.
    pub path: Option<u64>,
}

/// Surveys the libraries of a process. `own` is the address of the dynamic section of this library. `None` for a program
/// that has no dynamic linker.
pub fn survey(memory: &impl Memory, auxiliary: &Auxiliary, own: u64) -> Option<Survey> {
    let mut found = Survey::default();
    let mut library = memory.word(debug(memory, auxiliary)?.checked_add(8)?)?;
    for _ in 0..LIMIT {
        if library == 0 {
            break;
        }
        let base = memory.word(library)?;
        let path = memory.word(library.checked_add(8)?)?;
        let dynamic = memory.word(library.checked_add(16)?)?;
        if dynamic == own {
            found.path = Some(path);
        } else if !is_kernels(memory, path) {
            look_up(memory, base, dynamic, &mut found);
        }
        library = memory.word(library.checked_add(24)?)?;
    }
    Some(found)
}

/// Where the dynamic linker keeps its list of libraries: an entry of the program's dynamic section.
fn debug(memory: &impl Memory, auxiliary: &Auxiliary) -> Option<u64> {
    const DYNAMIC: u32 = 2;
    const HEADERS: u32 = 6;
    const DEBUG: u64 = 21;
    let mut base = None;
    let mut dynamic = None;
    for index in 0..auxiliary.count.min(LIMIT) {
        let header = auxiliary.headers.checked_add(index.checked_mul(56)?)?;
        let address = memory.word(header.checked_add(16)?)?;
        match memory.half(header)? {
            HEADERS => base = auxiliary.headers.checked_sub(address),
            DYNAMIC => dynamic = Some(address),
            _ => {}
        }
    }
    let dynamic = base?.checked_add(dynamic?)?;
    for index in 0..LIMIT {
        match entry(memory, dynamic, index)? {
            (0, _) => return None,
            (DEBUG, address) => return (address != 0).then_some(address),
            _ => {}
        }
    }
    None
}

/// The first library that defines a name counts, as it does for the dynamic linker.
fn look_up(memory: &impl Memory, base: u64, dynamic: u64, found: &mut Survey) {
    if found.environments.iter().all(Option::is_some) {
        return;
    }
    let Some(symbols) = Symbols::of(memory, base, dynamic) else { return };
    for (name, place) in ENVIRONMENT.iter().zip(&mut found.environments) {
        if place.is_none() {
            *place = symbols.variable(memory, name);
        }
    }
}

/// Whether this is the kernel's own library, whose addresses mean something else on some kernels.
fn is_kernels(memory: &impl Memory, path: u64) -> bool {
    memory.holds(path, b"linux-vdso.so.1")
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
