//! `/proc/<pid>/cmdline` and `/proc/<pid>/environ`: lists of texts that end in a zero byte.

/// The arguments of a process, its name for itself first.
pub fn arguments(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = file.strip_suffix(b"\0").unwrap_or(file);
    whole.split(|byte| *byte == 0).filter(move |_| !whole.is_empty())
}

/// The variables of a process' environment, as it was when the program was started. Entries without `=` are no variables,
/// and a last one that is cut off is left out.
pub fn variables(file: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let whole = memchr::memrchr(0, file).and_then(|end| file.get(..end)).unwrap_or_default();
    whole.split(|byte| *byte == 0).filter_map(|entry| {
        let equals = memchr::memchr(b'=', entry)?;
        let (name, value) = entry.split_at_checked(equals)?;
        Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{arguments, variables};

    #[test]
    fn arguments_end_in_zeros() {
        let of = |file: &'static [u8]| arguments(file).collect::<Vec<_>>();
        assert_eq!(of(b"java\0-jar\0\0app.jar\0"), [b"java".as_slice(), b"-jar", b"", b"app.jar"]);
        assert_eq!(of(b"npm start"), [b"npm start"]);
        assert!(of(b"").is_empty());
    }

    #[test]
    fn variables_have_a_name_and_a_value() {
        let file = b"A=1\0nonsense\0B=x=y\0C=\0D=cut";
        let found: Vec<_> = variables(file).collect();
        assert_eq!(found, [("A", b"1".as_slice()), ("B", b"x=y"), ("C", b"")]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            arguments(&bytes).count();
            variables(&bytes).count();
        }
    }
}
