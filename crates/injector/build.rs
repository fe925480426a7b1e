//! Links the library without anything that is not its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Other builds unwind, borrow the standard library for that, and are never preloaded.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for argument in [
            "-nostdlib",
            "-nostartfiles",
            "-Wl,-z,noexecstack",
            "-Wl,-z,norelro",
            "-Wl,-z,noseparate-code",
            "-Wl,--hash-style=both",
            "-Wl,--build-id=none",
            "-Wl,--no-rosegment",
            "-Wl,--no-eh-frame-hdr",
        ] {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}
