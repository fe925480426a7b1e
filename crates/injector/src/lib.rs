//! The preload library. It runs in every program of a container that is instrumented, before the program does, and gives
//! the environment of Java, Node.js and Python what their agents need. Every other program is left as it is.
//!
//! What is decided and written is the business of `epiphyte-injector-core`, which is safe code. Here is what that cannot
//! do: system calls, reading the process's own memory, and hanging in the new environment.
//!
//! The library needs no symbol and exports none, so that it loads into any program, under glibc and musl alike. It has no
//! thread-local storage, allocates one mapping that is never freed, and contains no panic (a test looks for one).
//!
//! It is for `x86_64` and `aarch64`, little-endian Linux. The latter is built where that target is installed, and only
//! there.
#![no_std]

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("the injector is for Linux on x86_64 and aarch64");

// Lends its panic handler to the builds that unwind: those for tests and lints.
#[cfg(not(panic = "abort"))]
extern crate std;

mod environment;
mod files;
mod inject;
mod log;
#[cfg(panic = "abort")]
mod memory_functions;
mod process;
mod system;

/// Called by the dynamic linker, in glibc with arguments, in musl without: so it takes none.
extern "C" fn start() {
    inject::inject();
}

#[used]
#[cfg_attr(not(test), unsafe(link_section = ".init_array"))]
static START: extern "C" fn() = start;

/// Never called, and so never linked: a test sees to it that the section is not there.
#[cfg(panic = "abort")]
#[panic_handler]
#[unsafe(link_section = ".panic")]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
