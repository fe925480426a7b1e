//! Finding the version that a runtime carries as text in its program or library.

use std::ops::Range;

use memchr::memmem;

use crate::read::ReadAt;

/// How much is read at a time: what more would save in system calls, the node agent would take in memory for good.
const PIECE: usize = 64 * 1024;

/// How much of one piece is read again with the next, so that nothing is missed in between.
const OVERLAP: usize = 256;

/// Looks through a range of a file for a needle; `pick` is given the byte before each and what follows, and ends the
/// search by an answer. A match must end within what `pick` is given: what is cut off comes again, whole.
pub(crate) fn find<T>(
    source: &(impl ReadAt + ?Sized),
    range: Range<u64>,
    needle: &[u8],
    mut pick: impl FnMut(Option<u8>, &[u8]) -> Option<T>,
) -> Option<T> {
    let finder = memmem::Finder::new(needle);
    let mut buffer = vec![0; PIECE];
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).map_or(PIECE, |left| left.min(PIECE));
        let read = source.read_at(at, buffer.get_mut(..wanted)?).ok()?;
        let piece = buffer.get(..read)?;
        for hit in finder.find_iter(piece) {
            let before = hit.checked_sub(1).and_then(|before| piece.get(before)).copied();
            if let Some(found) = pick(before, piece.get(hit + needle.len()..)?) {
                return Some(found);
            }
        }
        if read < PIECE {
            return None;
        }
        at = at.saturating_add((PIECE - OVERLAP) as u64);
    }
    None
}

/// The text up to one of these bytes; `None` where none comes.
pub(crate) fn until<'a>(text: &'a [u8], ends: &[u8]) -> Option<&'a [u8]> {
    let end = text.iter().take(OVERLAP).position(|byte| ends.contains(byte))?;
    text.get(..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{OVERLAP, PIECE, find, until};

    fn version(haystack: &[u8]) -> Option<Vec<u8>> {
        find(haystack, 0..u64::MAX, b"needle/", |_, after| until(after, b"/").map(<[u8]>::to_vec))
    }

    #[test]
    fn a_match_across_two_pieces_is_found_whole() {
        for place in [0, 100, PIECE - OVERLAP - 7, PIECE - OVERLAP, PIECE - 9, PIECE - 3, PIECE, 2 * PIECE] {
            let mut haystack = vec![b'.'; place];
            haystack.extend_from_slice(b"needle/20.11.1/more");
            assert_eq!(version(&haystack).as_deref(), Some(b"20.11.1".as_slice()), "at {place}");
        }
    }

    #[test]
    fn what_does_not_end_is_not_found() {
        assert_eq!(version(b"needle/20.11"), None);
        assert_eq!(version(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, start: u64, end: u64) {
            find(bytes.as_slice(), start..end, b"a", |_, after| until(after, b"\0").map(drop));
        }
    }
}
