//! Versions: what is taken for one, and where files tell it.

/// Longest version that is believed.
const LONGEST: usize = 40;

/// A version, if these bytes are one: a digit, then digits, letters, and a few signs.
pub(crate) fn version(bytes: &[u8]) -> Option<String> {
    let plausible = bytes.first().is_some_and(u8::is_ascii_digit)
        && bytes.len() <= LONGEST
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_' | b'~'));
    plausible.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// The numbers at the beginning: `3.2.2` of `3.2.2p53 (2024`. At least `<major>.<minor>`.
pub(crate) fn numbers(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(bytes.len());
    let numbers = bytes.get(..end)?;
    let numbers = numbers.strip_suffix(b".").unwrap_or(numbers);
    numbers.contains(&b'.').then(|| version(numbers))?
}

/// `JAVA_VERSION` of the file `release` beside a Java runtime. Java 8 says `1.8.0_392` where its successors would say
/// `8.0.392`; the latter is given, so that the major version comes first for all.
pub fn java_release(file: &[u8]) -> Option<String> {
    let value = file.split(|byte| *byte == b'\n').find_map(|line| line.trim_ascii().strip_prefix(b"JAVA_VERSION="))?;
    let found = version(value.trim_ascii_start().strip_prefix(b"\"").unwrap_or(value).split(|it| *it == b'"').next()?)?;
    Some(found.strip_prefix("1.").map_or_else(|| found.clone(), |old| old.replace('_', ".")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{java_release, numbers, version};

    #[test]
    fn what_begins_with_a_digit_and_is_short_is_a_version() {
        assert_eq!(version(b"21.0.4+7-LTS").as_deref(), Some("21.0.4+7-LTS"));
        for nonsense in [b"".as_slice(), b"v1", b"1 2", b"1\n2", &[b'1'; 41]] {
            assert_eq!(version(nonsense), None);
        }
        assert_eq!(numbers(b"3.2.2p53 (2024").as_deref(), Some("3.2.2"));
        assert_eq!(numbers(b"3"), None);
    }

    #[test]
    fn the_release_file_tells_the_version_of_java() {
        let file = b"IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.15+6\"\nJAVA_VERSION=\"17.0.15\"\n";
        assert_eq!(java_release(file).as_deref(), Some("17.0.15"));
        assert_eq!(java_release(b"JAVA_VERSION=\"1.8.0_392\"\r\n").as_deref(), Some("8.0.392"));
        assert_eq!(java_release(b"JAVA_VERSION=21"), Some("21".into()));
        assert_eq!(java_release(b"JAVA_VERSION=\"; rm -rf /\""), None);
        assert_eq!(java_release(b"JAVA_VERSION_DATE=\"2025\""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            java_release(&[b"JAVA_VERSION=", bytes.as_slice()].concat());
            numbers(&bytes);
        }
    }
}
