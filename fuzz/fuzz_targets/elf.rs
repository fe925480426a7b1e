//! Fuzzes a program, and what its compiler left in it.
#![no_main]

use epiphyte_detect::parse::{Elf, Native};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(elf) = Elf::read(data) {
        Native::read(data, &elf);
    }
});
