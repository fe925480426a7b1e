//! Small files, read at one go: a system call more is time that every process pays.

use core::ffi::CStr;

use crate::system::File;

/// The whole of a file; `None` if it cannot be read, or fills the buffer and may go on.
pub(crate) fn whole<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = File::open(path)?.read(buffer)?;
    if length < buffer.len() { buffer.get(..length) } else { None }
}

/// The beginning of a file, as much as the buffer holds; empty if it cannot be read.
pub(crate) fn beginning<'b>(path: &CStr, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = File::open(path).and_then(|file| file.read(buffer)).unwrap_or_default();
    buffer.get(..length).unwrap_or_default()
}
