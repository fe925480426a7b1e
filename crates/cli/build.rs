//! Links the program so that little of it has to be in memory.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Half a megabyte of relocations would be read at each start, and these are a tenth as long packed. Only what is linked
    // statically brings the C library along that knows of them (glibc 2.36, musl 1.2.4).
    if env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|features| features.split(',').any(|it| it == "crt-static")) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
