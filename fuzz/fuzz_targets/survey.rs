//! Fuzzes the walk over the libraries of a process whose memory is the input.
#![no_main]

use epiphyte_injector_core::{Auxiliary, Memory, survey};
use libfuzzer_sys::fuzz_target;

/// Memory that begins at address 0.
struct Bytes<'d>(&'d [u8]);

impl Memory for Bytes<'_> {
    fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        self.0.get(usize::try_from(address).ok()?..)?.first_chunk().copied()
    }
}

fuzz_target!(|data: &[u8]| {
    let auxiliary = Auxiliary { headers: 0x40, count: 8, secure: false };
    survey(&Bytes(data), &auxiliary, 0x2000);
});
