//! What Epiphyte itself put into a process. It is taken out of a sighting first, so that a container that is instrumented is
//! detected as what it was.

use epiphyte_api::names::{DEVICE_MOUNT_PATH, INJECTOR_MOUNT_PATH};

/// Whether a text names a file of ours. Options such as `-javaagent:` may stand before the path.
pub(crate) fn names_ours(text: &str) -> bool {
    [DEVICE_MOUNT_PATH, INJECTOR_MOUNT_PATH].into_iter().any(|folder| {
        text.match_indices(folder).any(|(start, _)| {
            let before = text.get(..start).and_then(|before| before.chars().next_back());
            let after = text.get(start + folder.len()..).and_then(|after| after.chars().next());
            let begins = before.is_none_or(|it| !it.is_alphanumeric() && !matches!(it, '/' | '.' | '-' | '_'));
            begins && after.is_none_or(|it| matches!(it, '/' | ':' | '"' | '\''))
        })
    })
}

/// Whether a file is ours, by its path.
pub(crate) fn is_ours(path: &str) -> bool {
    let under = |folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    under(DEVICE_MOUNT_PATH) || under(INJECTOR_MOUNT_PATH)
}

/// The libraries of an `LD_PRELOAD` or an `/etc/ld.so.preload` that are not ours, separated by colons; `None` where none
/// is left.
pub(crate) fn foreign_preloads(list: &[u8]) -> Option<String> {
    let list = String::from_utf8_lossy(list);
    let theirs = list.split(|it: char| it == ':' || it.is_ascii_whitespace());
    let theirs: Vec<&str> = theirs.filter(|entry| !entry.is_empty() && !names_ours(entry)).collect();
    (!theirs.is_empty()).then(|| theirs.join(":"))
}

#[cfg(test)]
mod tests {
    use epiphyte_api::names::{DEVICE_PRELOAD, INJECTOR_PRELOAD};
    use proptest::prelude::*;

    use super::{foreign_preloads, names_ours};

    #[test]
    fn our_own_library_is_no_preload() {
        assert_eq!(foreign_preloads(DEVICE_PRELOAD.as_bytes()), None);
        assert_eq!(foreign_preloads(INJECTOR_PRELOAD.as_bytes()), None);
        let chained = format!("/lib/libjemalloc.so.2:{INJECTOR_PRELOAD}");
        assert_eq!(foreign_preloads(chained.as_bytes()).as_deref(), Some("/lib/libjemalloc.so.2"));
        assert_eq!(foreign_preloads(b" a.so \tb.so:: c.so\n").as_deref(), Some("a.so:b.so:c.so"));
        assert_eq!(foreign_preloads(b" : "), None);
    }

    #[test]
    fn a_path_that_only_looks_like_ours_is_not_ours() {
        assert!(names_ours("-javaagent:/var/odigos/java/javaagent.jar"));
        assert!(names_ours("/opt/lumigo"));
        assert!(!names_ours("/opt/lumigo-fork/agent.jar"));
        assert!(!names_ours("/home/opt/lumigo/agent.jar"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            foreign_preloads(&bytes);
        }
    }
}
