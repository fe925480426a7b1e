//! Files read into buffers.

use core::ffi::CStr;

use crate::system::File;

/// The whole of a file; `None` if it cannot be read, or fills the buffer and may go on.
pub(crate) fn whole<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = fill(path, buffer)?;
    if length < buffer.len() { buffer.get(..length) } else { None }
}

/// The beginning of a file, as much as the buffer holds; empty if it cannot be read.
pub(crate) fn beginning<'b>(path: &CStr, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = fill(path, buffer).unwrap_or_default();
    buffer.get(..length).unwrap_or_default()
}

fn fill(path: &CStr, buffer: &mut [u8]) -> Option<usize> {
    let file = File::open(path)?;
    let mut length = 0_usize;
    loop {
        let rest = buffer.get_mut(length..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else { return Some(length) };
        match file.read(rest)? {
            0 => return Some(length),
            more => length = length.checked_add(more)?,
        }
    }
}
