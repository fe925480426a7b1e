//! What was read of programs and libraries, so that a hundred containers of one image cost one reading.

use std::collections::HashMap;
use std::sync::Arc;

use crate::elf::Elf;
use crate::native::{Native, VersionText};
use crate::proc::{FileId, Opened};

/// Most files that are remembered; beyond it, all are forgotten and read anew.
const MAX_FILES: usize = 1024;

/// The memory of a scanner.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    elves: HashMap<FileId, Option<Arc<Elf>>>,
    natives: HashMap<FileId, Option<Native>>,
    versions: HashMap<(FileId, VersionText), Option<String>>,
}

impl Programs {
    /// The headers of a file; `None` where it is no ELF file.
    pub(crate) fn elf(&mut self, opened: &Opened) -> Option<Arc<Elf>> {
        make_room(&mut self.elves);
        self.elves.entry(opened.id).or_insert_with(|| Elf::read(&opened.file).map(Arc::new)).clone()
    }

    /// What the program was compiled from.
    pub(crate) fn native(&mut self, opened: &Opened) -> Option<Native> {
        let elf = self.elf(opened)?;
        make_room(&mut self.natives);
        self.natives.entry(opened.id).or_insert_with(|| Native::read(&opened.file, &elf)).clone()
    }

    /// The version in the constants of a runtime.
    pub(crate) fn version(&mut self, opened: &Opened, text: VersionText) -> Option<String> {
        let elf = self.elf(opened)?;
        make_room(&mut self.versions);
        let key = (opened.id, text);
        if let Some(known) = self.versions.get(&key) {
            return known.clone();
        }
        let found = key.1.find(&opened.file, &elf);
        self.versions.insert(key, found.clone());
        found
    }
}

fn make_room<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_FILES {
        map.clear();
    }
}
