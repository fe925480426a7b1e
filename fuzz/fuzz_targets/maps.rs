//! Fuzzes the mapped files of a process.
#![no_main]

use epiphyte_detect::parse::mapped_files;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    mapped_files(data).count();
});
