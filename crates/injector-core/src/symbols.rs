//! Looks a symbol up in a library that is loaded, as the dynamic linker would.

/// The memory of a process.
pub trait Memory {
    /// The bytes at an address; `None` where nothing can be.
    fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]>;

    /// The number at an address.
    fn word(&self, address: u64) -> Option<u64> {
        self.read(address).map(u64::from_le_bytes)
    }

    /// The half-width number at an address.
    fn half(&self, address: u64) -> Option<u32> {
        self.read(address).map(u32::from_le_bytes)
    }

    /// Whether the text at an address, ended by a zero byte, is this one.
    fn holds(&self, address: u64, text: &[u8]) -> bool {
        let mut at = address;
        text.iter().chain(b"\0").all(|byte| {
            let same = self.read(at) == Some([*byte]);
            at = at.saturating_add(1);
            same
        })
    }
}

/// How many entries of a dynamic section, and of one chain of symbols, are looked at.
const LIMIT: u64 = 256;

/// Where a library keeps its symbols.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Symbols {
    base: u64,
    symbols: u64,
    names: u64,
    names_size: u64,
    gnu_hash: Option<u64>,
    hash: Option<u64>,
}

impl Symbols {
    /// Reads the dynamic section of a library that is loaded at `base`.
    pub(crate) fn of(memory: &impl Memory, base: u64, dynamic: u64) -> Option<Self> {
        let mut found = Self { base, ..Self::default() };
        for index in 0..LIMIT {
            let (tag, value) = entry(memory, dynamic, index)?;
            // glibc turns these into addresses when it loads a library; musl leaves them as they are in the file.
            let address = if value >= base { value } else { base.checked_add(value)? };
            match tag {
                0 => break,
                4 => found.hash = Some(address),
                5 => found.names = address,
                6 => found.symbols = address,
                10 => found.names_size = value,
                0x6fff_fef5 => found.gnu_hash = Some(address),
                _ => {}
            }
        }
        (found.symbols != 0 && found.names != 0).then_some(found)
    }

    /// The address of a variable that the library defines.
    pub(crate) fn variable(&self, memory: &impl Memory, name: &[u8]) -> Option<u64> {
        match (self.gnu_hash, self.hash) {
            (Some(table), _) => self.by_gnu_hash(memory, table, name),
            (None, Some(table)) => self.by_hash(memory, table, name),
            (None, None) => None,
        }
    }

    fn by_gnu_hash(&self, memory: &impl Memory, table: u64, name: &[u8]) -> Option<u64> {
        let hash = name.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        let bucket_count = memory.half(table)?;
        let first_symbol = memory.half(table.checked_add(4)?)?;
        let filter_words = memory.half(table.checked_add(8)?)?;
        let filter_shift = memory.half(table.checked_add(12)?)?;
        let filter = table.checked_add(16)?;
        let word = memory.word(element(filter, (hash / 64).checked_rem(filter_words)?, 8)?)?;
        let bits = (1_u64 << (hash % 64)) | (1_u64 << (hash.checked_shr(filter_shift)? % 64));
        if word & bits != bits {
            return None;
        }
        let buckets = element(filter, filter_words, 8)?;
        let chains = element(buckets, bucket_count, 4)?;
        let mut index = memory.half(element(buckets, hash.checked_rem(bucket_count)?, 4)?)?;
        for _ in 0..LIMIT {
            // An empty bucket holds zero, which is below the first symbol of any table.
            let link = memory.half(element(chains, index.checked_sub(first_symbol)?, 4)?)?;
            if link | 1 == hash | 1
                && let Some(address) = self.defined(memory, index, name)
            {
                return Some(address);
            }
            if link & 1 == 1 {
                return None;
            }
            index = index.checked_add(1)?;
        }
        None
    }

    fn by_hash(&self, memory: &impl Memory, table: u64, name: &[u8]) -> Option<u64> {
        let hash = name.iter().fold(0_u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(u32::from(*byte));
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        });
        let bucket_count = memory.half(table)?;
        let buckets = table.checked_add(8)?;
        let chains = element(buckets, bucket_count, 4)?;
        let mut index = memory.half(element(buckets, hash.checked_rem(bucket_count)?, 4)?)?;
        for _ in 0..LIMIT {
            if index == 0 {
                return None;
            }
            if let Some(address) = self.defined(memory, index, name) {
                return Some(address);
            }
            index = memory.half(element(chains, index, 4)?)?;
        }
        None
    }

    /// The address of the symbol with this index, if it is a variable that is defined here under this name.
    fn defined(&self, memory: &impl Memory, index: u32, name: &[u8]) -> Option<u64> {
        let symbol = element(self.symbols, index, 24)?;
        let name_at = u64::from(memory.half(symbol)?);
        let [info, _, section @ ..] = memory.read::<4>(symbol.checked_add(4)?)?;
        let value = memory.word(symbol.checked_add(8)?)?;
        let is_variable = matches!(info & 15, 0 | 1) && matches!(info >> 4, 1 | 2);
        let is_defined = section != [0, 0] && value != 0;
        let is_named = name_at < self.names_size && memory.holds(self.names.checked_add(name_at)?, name);
        (is_variable && is_defined && is_named).then(|| self.base.checked_add(value)).flatten()
    }
}

/// Tag and value of an entry of a dynamic section.
pub(crate) fn entry(memory: &impl Memory, dynamic: u64, index: u64) -> Option<(u64, u64)> {
    let at = dynamic.checked_add(index.checked_mul(16)?)?;
    Some((memory.word(at)?, memory.word(at.checked_add(8)?)?))
}

/// The address of an element of a table.
fn element(table: u64, index: u32, size: u64) -> Option<u64> {
    table.checked_add(u64::from(index).checked_mul(size)?)
}
