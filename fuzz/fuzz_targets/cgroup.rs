//! Fuzzes the pod and the container of a process.
#![no_main]

use epiphyte_detect::parse::membership;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    membership(data);
});
