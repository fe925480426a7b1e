//! What differs on `x86_64`.

use core::arch::asm;

/// Numbers of the system calls.
pub(super) mod number {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const UNAME: usize = 63;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const READLINKAT: usize = 267;
    pub(crate) const FACCESSAT: usize = 269;
}

/// Makes a system call.
///
/// # Safety
/// The arguments are what the call wants: addresses are valid for what the kernel does with them.
pub(super) unsafe fn call(number: usize, arguments: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = arguments;
    let returned;
    // SAFETY: the kernel keeps all registers but these, and the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => returned,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    returned
}

/// The address of this library's own dynamic section.
pub(crate) fn dynamic_section() -> u64 {
    let address;
    // SAFETY: only an address is computed.
    unsafe {
        asm!(".hidden _DYNAMIC", "lea {}, [rip + _DYNAMIC]", out(reg) address, options(nomem, nostack, preserves_flags));
    }
    address
}
