//! What differs on `aarch64`.

use core::arch::asm;

/// Numbers of the system calls.
pub(super) mod number {
    pub(crate) const FACCESSAT: usize = 48;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const READLINKAT: usize = 78;
    pub(crate) const UNAME: usize = 160;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const MMAP: usize = 222;
}

/// Makes a system call.
///
/// # Safety
/// The arguments are what the call wants: addresses are valid for what the kernel does with them.
pub(super) unsafe fn call(number: usize, arguments: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = arguments;
    let returned;
    // SAFETY: the kernel keeps all registers but this, and the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => returned,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
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
        asm!(
            ".hidden _DYNAMIC",
            "adrp {0}, _DYNAMIC",
            "add {0}, {0}, :lo12:_DYNAMIC",
            out(reg) address,
            options(nomem, nostack, preserves_flags),
        );
    }
    address
}
