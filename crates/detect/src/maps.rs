//! `/proc/<pid>/maps`: the files that a process has mapped.

/// The paths of mapped files, in the order of their addresses; one that is mapped in several parts comes once for the parts
/// that follow each other. A last line that is cut off is left out.
pub fn mapped_files(file: &[u8]) -> impl Iterator<Item = &str> {
    let whole = memchr::memrchr(b'\n', file).and_then(|end| file.get(..end)).unwrap_or_default();
    let mut last = "";
    whole.split(|byte| *byte == b'\n').filter_map(move |line| {
        // None of the fields before the path has a slash.
        let path = memchr::memchr(b'/', line).and_then(|start| line.get(start..))?;
        let path = std::str::from_utf8(path).ok()?;
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        (path != std::mem::replace(&mut last, path)).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mapped_files;

    #[test]
    fn each_mapped_file_comes_once_and_nothing_else_does() {
        let file = b"00400000-00401000 r-xp 00000000 08:01 12 /usr/bin/java\n\
                     00401000-00402000 rw-p 00001000 08:01 12 /usr/bin/java\n\
                     01000000-01001000 rw-p 00000000 00:00 0 [heap]\n\
                     02000000-02001000 rw-p 00000000 00:00 0 \n\
                     7f000000-7f001000 r--p 00000000 08:01 13 /tmp/a b.so (deleted)\n\
                     7f001000-7f002000 r--p 00000000 08:01 14 /usr/lib/libjv";
        assert_eq!(mapped_files(file).collect::<Vec<_>>(), ["/usr/bin/java", "/tmp/a b.so"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            mapped_files(&bytes).count();
        }
    }
}
