//! `/proc/<pid>/stat`: whose child a process is, and since when it runs.

/// What is read of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The parent's process id.
    pub parent: u32,
    /// When it started, in clock ticks since the machine did.
    pub started: u64,
}

/// Reads the file. `None` for a process that has ended and only waits for its parent to hear of it.
pub fn stat(file: &[u8]) -> Option<Stat> {
    // The name is in parentheses, and may have any of its own.
    let end = memchr::memrchr(b')', file)?;
    let rest = std::str::from_utf8(file.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    Some(Stat { parent, started: fields.nth(17)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Stat, stat};

    const REST: &str = "7 12 12 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 4711 8192 100";

    #[test]
    fn a_name_may_look_like_anything() {
        for name in ["java", "a b", ") S 1 (", "\u{fffd}"] {
            let line = format!("12 ({name}) S {REST}\n");
            assert_eq!(stat(line.as_bytes()), Some(Stat { parent: 7, started: 4711 }), "{line}");
        }
    }

    #[test]
    fn a_zombie_and_a_cut_line_are_no_processes() {
        assert_eq!(stat(format!("12 (java) Z {REST}").as_bytes()), None);
        assert_eq!(stat(b"12 (java) S 7 12"), None);
        assert_eq!(stat(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            stat(&bytes);
        }
    }
}
