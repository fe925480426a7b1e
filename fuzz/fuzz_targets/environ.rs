//! Fuzzes arguments and variables of a process, and the agents in them.
#![no_main]

use epiphyte_detect::parse::{by_arguments, by_environment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    by_arguments(data);
    by_environment(data);
});
