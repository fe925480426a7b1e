//! Fuzzes the file beside a Java runtime.
#![no_main]

use epiphyte_detect::parse::java_release;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    java_release(data);
});
