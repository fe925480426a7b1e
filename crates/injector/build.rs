//! Links the library without anything that is not its own.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Other builds unwind, borrow the standard library for that, and are never preloaded.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let arguments = [
            "-nostdlib",
            "-nostartfiles",
            "-Wl,-z,noexecstack",
            "-Wl,-z,norelro",
            "-Wl,-z,noseparate-code",
            "-Wl,--hash-style=both",
            "-Wl,--build-id=none",
            "-Wl,--no-eh-frame-hdr",
        ];
        // One segment less to map. On other architectures Rust's linker need not be lld, and may not know this.
        let lld = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "x86_64");
        for argument in arguments.into_iter().chain(lld.then_some("-Wl,--no-rosegment")) {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}
