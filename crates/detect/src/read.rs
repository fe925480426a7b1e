//! Reading in bounds: never more of a file than was asked for, whatever the file says of its size.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file, or something like it, of which pieces are read.
pub trait ReadAt {
    /// Reads from an offset on until `into` is full or the file ends; says how many bytes that were.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(count)
    }
}

/// At most `limit` bytes from an offset on; fewer where the file ends before.
pub(crate) fn piece(source: &(impl ReadAt + ?Sized), offset: u64, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; limit];
    let count = source.read_at(offset, &mut bytes).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Reads the beginning of a file into a buffer that is used again and again.
pub(crate) fn beginning(path: &Path, limit: u64, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    File::open(path)?.take(limit).read_to_end(into).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{ReadAt, piece};

    #[test]
    fn no_more_is_read_than_is_there() {
        assert_eq!(piece(b"abc".as_slice(), 1, 9), Some(b"bc".to_vec()));
        assert_eq!(piece(b"abc".as_slice(), 9, 9), Some(Vec::new()));
        assert_eq!(b"abc".as_slice().read_at(u64::MAX, &mut [0; 2]).unwrap(), 0);
    }
}
