//! What the kernel tells a program about itself: the auxiliary vector.

/// The entries of the auxiliary vector that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auxiliary {
    /// Address of the program headers.
    pub headers: u64,
    /// Number of program headers.
    pub count: u64,
    /// Whether the program runs with rights that its starter did not have.
    pub secure: bool,
}

impl Auxiliary {
    /// Reads the bytes of `/proc/self/auxv`. `None` if an entry that is always there is missing.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        const HEADERS: u64 = 3;
        const COUNT: u64 = 5;
        const SECURE: u64 = 23;
        let (words, _) = bytes.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        let value = |wanted| {
            let pairs = pairs.iter().map(|[key, value]| (u64::from_le_bytes(*key), u64::from_le_bytes(*value)));
            pairs.take_while(|(key, _)| *key != 0).find(|(key, _)| *key == wanted).map(|(_, value)| value)
        };
        Some(Self { headers: value(HEADERS)?, count: value(COUNT)?, secure: value(SECURE)? != 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::Auxiliary;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn the_entries_are_found_in_any_order() {
        let auxiliary = Auxiliary::read(&bytes(&[23, 1, 6, 4096, 5, 13, 3, 0x40, 0, 0])).unwrap();
        assert_eq!(auxiliary, Auxiliary { headers: 0x40, count: 13, secure: true });
    }

    #[test]
    fn a_vector_without_an_entry_is_refused() {
        assert_eq!(Auxiliary::read(&bytes(&[5, 13, 3, 0x40, 0, 0, 23, 0])), None);
        assert_eq!(Auxiliary::read(b"abc"), None);
    }
}
