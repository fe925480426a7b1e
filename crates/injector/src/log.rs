//! What the library says where it is asked to talk. Names only, never a value: one of them is a secret.

use epiphyte_injector_core::join;

use crate::system;

/// Writes a line to standard error.
pub(crate) fn say(pieces: [&[u8]; 3]) {
    let [first, second, third] = pieces;
    let mut line = [0; 512];
    if let Some(line) = join(&[b"epiphyte-injector: ", first, second, third, b"\n"], &mut line) {
        system::write_error(line.strip_suffix(b"\0").unwrap_or(line));
    }
}
