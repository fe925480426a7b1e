//! Writes text piece by piece into memory of a fixed size.

use core::mem;

/// Memory that texts are written into, one after the other, each ended by a zero byte.
pub(crate) struct Page<'o> {
    free: &'o mut [u8],
}

impl<'o> Page<'o> {
    pub(crate) fn new(memory: &'o mut [u8]) -> Self {
        Self { free: memory }
    }

    /// Writes one text, and returns it with the zero byte at its end. `None` if it does not fit; then the page is used up.
    pub(crate) fn text(&mut self, write: impl FnOnce(&mut Text<'o>) -> Option<()>) -> Option<&'o [u8]> {
        let mut text = Text { memory: mem::take(&mut self.free), length: 0 };
        write(&mut text)?;
        text.push(b"\0")?;
        let (written, free) = text.memory.split_at_mut_checked(text.length)?;
        self.free = free;
        Some(written)
    }
}

/// A text in the making.
pub(crate) struct Text<'o> {
    memory: &'o mut [u8],
    length: usize,
}

impl Text<'_> {
    /// What is written so far.
    pub(crate) fn written(&self) -> &[u8] {
        self.memory.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<()> {
        let end = self.length.checked_add(piece.len())?;
        let room = self.memory.get_mut(self.length..end)?;
        // A copy of slices would bring a panic for unequal lengths along.
        room.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
        self.length = end;
        Some(())
    }

    /// Writes a value as OpenTelemetry wants it in a list of pairs: all but plain characters percent-encoded.
    pub(crate) fn push_encoded(&mut self, value: &[u8]) -> Option<()> {
        for byte in value {
            if byte.is_ascii_alphanumeric() || b"-._~/:".contains(byte) {
                self.push(&[*byte])?;
            } else {
                self.push(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)])?;
            }
        }
        Some(())
    }
}

/// Writes pieces into the memory as one text, and returns it with a zero byte at its end. `None` if it does not fit.
pub fn join<'o>(pieces: &[&[u8]], memory: &'o mut [u8]) -> Option<&'o [u8]> {
    Page::new(memory).text(|text| pieces.iter().try_for_each(|piece| text.push(piece)))
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0'.wrapping_add(value) } else { b'A'.wrapping_add(value).wrapping_sub(10) }
}

#[cfg(test)]
mod tests {
    use super::{Page, join};

    #[test]
    fn texts_follow_each_other_until_the_page_is_full() {
        let mut memory = [0; 8];
        let mut page = Page::new(&mut memory);
        assert_eq!(page.text(|text| text.push(b"abc")), Some(&b"abc\0"[..]));
        assert_eq!(page.text(|text| text.push(b"abc")), Some(&b"abc\0"[..]));
        assert_eq!(page.text(|text| text.push(b"")), None);
    }

    #[test]
    fn a_text_needs_room_for_its_zero_byte() {
        assert_eq!(join(&[b"ab", b"cd"], &mut [0; 5]), Some(&b"abcd\0"[..]));
        assert_eq!(join(&[b"ab", b"cd"], &mut [0; 4]), None);
    }

    #[test]
    fn values_are_percent_encoded() {
        let mut memory = [0; 64];
        let text = Page::new(&mut memory).text(|text| text.push_encoded("a b,c=d%é/x:1".as_bytes()));
        assert_eq!(text, Some(&b"a%20b%2Cc%3Dd%25%C3%A9/x:1\0"[..]));
    }
}
