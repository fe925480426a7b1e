//! System calls, made directly: there may be no C library to ask, and the one that is there keeps its `errno`.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod machine;

use core::{
    ffi::CStr,
    ptr::{NonNull, with_exposed_provenance_mut},
};

pub(crate) use machine::dynamic_section;
use machine::{call, number};

/// Paths are taken as they are, from the current folder where they are relative.
const CURRENT_FOLDER: usize = -100_i32 as usize;

/// An open file, closed when dropped.
pub(crate) struct File(usize);

impl File {
    /// Opens a file for reading.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        const CLOSE_ON_EXEC: usize = 0o2_000_000;
        let path = path.as_ptr().expose_provenance();
        // SAFETY: the path is readable up to its zero byte, and the kernel writes nothing.
        result(unsafe { call(number::OPENAT, [CURRENT_FOLDER, path, CLOSE_ON_EXEC, 0, 0, 0]) }).map(Self)
    }

    /// Reads once, into the beginning of the buffer, and returns how much.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        let at = buffer.as_mut_ptr().expose_provenance();
        // SAFETY: the kernel writes into the buffer, and not past its end.
        result(unsafe { call(number::READ, [self.0, at, buffer.len(), 0, 0, 0]) })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this file's own.
        unsafe { call(number::CLOSE, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// Reads where a symbolic link leads to; `None` if the buffer may be too short for it.
pub(crate) fn read_link<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let path = path.as_ptr().expose_provenance();
    let at = buffer.as_mut_ptr().expose_provenance();
    // SAFETY: the path is readable up to its zero byte, and the kernel writes into the buffer, not past its end.
    let length = result(unsafe { call(number::READLINKAT, [CURRENT_FOLDER, path, at, buffer.len(), 0, 0]) })?;
    if length < buffer.len() { buffer.get(..length) } else { None }
}

/// Whether a file is there and readable.
pub(crate) fn is_readable(path: &CStr) -> bool {
    const READ: usize = 4;
    let path = path.as_ptr().expose_provenance();
    // SAFETY: the path is readable up to its zero byte, and the kernel writes nothing.
    result(unsafe { call(number::FACCESSAT, [CURRENT_FOLDER, path, READ, 0, 0, 0]) }).is_some()
}

/// The auxiliary vector, as much as the buffer holds. From Linux 6.4 on it comes without the cost of a file in `/proc`.
pub(crate) fn auxiliary(buffer: &mut [u8]) -> Option<&[u8]> {
    const GET_AUXILIARY: usize = 0x4155_5856;
    let at = buffer.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes into the buffer, and not past its end.
    let length = result(unsafe { call(number::PRCTL, [GET_AUXILIARY, at, buffer.len(), 0, 0, 0]) });
    let length = length.or_else(|| File::open(c"/proc/self/auxv")?.read(buffer))?;
    buffer.get(..length.min(buffer.len()))
}

/// The host's name.
pub(crate) fn host_name(buffer: &mut [u8; 390]) -> Option<&[u8]> {
    /// Six fields of this size; the host's name is in the second.
    const FIELD: usize = 65;
    let at = buffer.as_mut_ptr().expose_provenance();
    // SAFETY: the buffer has the size of what the kernel writes.
    result(unsafe { call(number::UNAME, [at, 0, 0, 0, 0, 0]) })?;
    CStr::from_bytes_until_nul(buffer.get(FIELD..2 * FIELD)?).ok().map(CStr::to_bytes)
}

/// Maps fresh memory, all zero, for as long as the process lives.
pub(crate) fn map(size: usize) -> Option<NonNull<u8>> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    const NO_FILE: usize = usize::MAX;
    // SAFETY: a new mapping touches no memory that is in use.
    let address = result(unsafe { call(number::MMAP, [0, size, READ_WRITE, PRIVATE_ANONYMOUS, NO_FILE, 0]) })?;
    NonNull::new(with_exposed_provenance_mut(address))
}

/// Writes to standard error, once; what goes wrong is not told.
pub(crate) fn write_error(text: &[u8]) {
    let at = text.as_ptr().expose_provenance();
    // SAFETY: the kernel reads the text, and writes nothing.
    unsafe { call(number::WRITE, [2, at, text.len(), 0, 0, 0]) };
}

/// The kernel returns errors as small negative numbers.
fn result(returned: usize) -> Option<usize> {
    (returned <= -4096_isize as usize).then_some(returned)
}
