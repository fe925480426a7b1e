//! `/proc/<pid>/auxv`: whether the kernel started a process in secure-execution mode.

/// Whether the dynamic linker distrusts the environment, because the program is setuid, setgid or has capabilities of its
/// own: then it preloads nothing from paths with a slash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureExecution {
    /// It could not be told.
    #[default]
    Unknown,
    /// The environment is trusted.
    Off,
    /// The environment is distrusted.
    On,
}

/// How wide a program's words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Narrow,
    /// 64 bits.
    Wide,
}

const AT_NULL: u64 = 0;
const AT_SECURE: u64 = 23;

/// Reads the file, of a process whose program has words of this width.
pub fn secure_execution(file: &[u8], width: Width) -> SecureExecution {
    let word = |bytes: &[u8]| match width {
        Width::Narrow => Some(u64::from(u32::from_ne_bytes(bytes.try_into().ok()?))),
        Width::Wide => Some(u64::from_ne_bytes(bytes.try_into().ok()?)),
    };
    let size = match width {
        Width::Narrow => 4,
        Width::Wide => 8,
    };
    for entry in file.chunks_exact(2 * size) {
        let (key, value) = entry.split_at(size);
        match (word(key), word(value)) {
            (Some(AT_SECURE), Some(0)) => return SecureExecution::Off,
            (Some(AT_SECURE), Some(_)) => return SecureExecution::On,
            (Some(AT_NULL) | None, _) => break,
            _ => {}
        }
    }
    SecureExecution::Unknown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{SecureExecution, Width, secure_execution};

    fn wide(entries: &[(u64, u64)]) -> Vec<u8> {
        entries.iter().flat_map(|(key, value)| [key.to_ne_bytes(), value.to_ne_bytes()].concat()).collect()
    }

    #[test]
    fn the_entry_tells_and_its_absence_does_not() {
        let of = |entries: &[(u64, u64)]| secure_execution(&wide(entries), Width::Wide);
        assert_eq!(of(&[(6, 4096), (23, 0), (0, 0)]), SecureExecution::Off);
        assert_eq!(of(&[(6, 4096), (23, 1), (0, 0)]), SecureExecution::On);
        assert_eq!(of(&[(6, 4096), (0, 0), (23, 1)]), SecureExecution::Unknown);
        assert_eq!(of(&[]), SecureExecution::Unknown);
    }

    #[test]
    fn a_narrow_program_has_narrow_entries() {
        let file: Vec<u8> = [6u32, 4096, 23, 1, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(secure_execution(&file, Width::Narrow), SecureExecution::On);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            secure_execution(&bytes, Width::Wide);
            secure_execution(&bytes, Width::Narrow);
        }
    }
}
