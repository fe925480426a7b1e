//! The library as a file.

use std::path::Path;

use anyhow::{Context as _, Result};
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSymbol as _};

use super::PART;
use crate::report::{Figure, KIB, Row};

/// Its size and its symbols.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = ElfFile64::<Endianness>::parse(&*bytes)?;
    let needed = file.dynamic_symbols().filter(|symbol| symbol.is_undefined()).count();
    let exported = file.dynamic_symbols().count() - needed;
    let none = |what, count: usize| Row::new(PART, what, Figure::Count(count as f64)).at_most(Figure::Count(0.0));
    Ok(vec![
        Row::new(PART, "the library", Figure::Bytes(bytes.len() as f64))
            .at_most(Figure::Bytes(32.0 * KIB))
            .peers("474 KB"),
        none("symbols that it exports", exported),
        none("symbols that it needs", needed),
    ])
}
