//! The files of a source: their digest, and their copy.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{StoreError, folder};

/// Hex digits of a digest that a folder's name has.
const DIGITS: usize = 32;

/// What is read at once.
const PIECE: usize = 64 * 1024;

/// The files of a source.
pub(super) struct Content {
    source: PathBuf,
    /// Paths under the source, sorted, and sizes.
    files: Vec<(PathBuf, u64)>,
    digest: String,
}

impl Content {
    /// Reads these folders of a source; those that are not there are passed over. Links to files are taken for the files.
    pub(super) fn of(source: &Path, folders: &[&str]) -> Result<Self, StoreError> {
        let failed = StoreError::new("cannot read", source);
        fs::read_dir(source).map_err(failed)?;
        let mut files = Vec::new();
        for name in folders.iter().filter(|name| source.join(name).is_dir()) {
            gather(source, Path::new(name), &mut files)?;
        }
        files.sort();
        let mut hash = Sha256::new();
        let mut piece = vec![0; PIECE];
        for (path, size) in &files {
            // The lengths keep one file's end apart from the next one's beginning.
            let name = path.as_os_str().as_encoded_bytes();
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            hash.update(size.to_le_bytes());
            let whole = source.join(path);
            read(&whole, &mut piece, |bytes| hash.update(bytes)).map_err(StoreError::new("cannot read", &whole))?;
        }
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).take(DIGITS / 2).collect();
        Ok(Self { source: source.to_owned(), files, digest })
    }

    /// A name for the content.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether a folder has every file in its full length.
    pub(super) fn is_whole_in(&self, target: &Path) -> bool {
        let is_there = |(path, size): &(PathBuf, u64)| {
            fs::symlink_metadata(target.join(path)).is_ok_and(|found| found.is_file() && found.len() == *size)
        };
        target.is_dir() && self.files.iter().all(is_there)
    }

    /// Copies everything and waits until the disk has it: folders 0755, files 0644.
    pub(super) fn copy_to(&self, target: &Path) -> Result<(), StoreError> {
        for (path, _) in &self.files {
            let (from, to) = (self.source.join(path), target.join(path));
            if let Some(parent) = to.parent() {
                folder(parent)?;
            }
            let copy = || {
                let mut out = File::create_new(&to)?;
                io::copy(&mut File::open(&from)?, &mut out)?;
                out.set_permissions(fs::Permissions::from_mode(0o644))
            };
            copy().map_err(StoreError::new("cannot write", &to))?;
        }
        let synced = File::open(target).and_then(|opened| Ok(rustix::fs::syncfs(opened)?));
        synced.map_err(StoreError::new("cannot write", target))
    }
}

fn gather(source: &Path, under: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), StoreError> {
    let whole = source.join(under);
    let failed = |error| StoreError::new("cannot read", &whole)(error);
    for entry in fs::read_dir(&whole).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = under.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            gather(source, &path, files)?;
            continue;
        }
        let found = fs::metadata(entry.path()).map_err(StoreError::new("cannot read", &entry.path()))?;
        if found.is_file() {
            files.push((path, found.len()));
        }
    }
    Ok(())
}

fn read(path: &Path, piece: &mut [u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        match file.read(piece)? {
            0 => return Ok(()),
            length => take(piece.get(..length).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Content;

    #[test]
    fn the_digest_tells_content_names_and_borders_apart() {
        let digest = |files: &[(&str, &str)]| {
            let source = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = source.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Content::of(source.path(), &["java", "node"]).unwrap().digest().to_owned()
        };
        let one = digest(&[("java/a", "1"), ("java/b", "2")]);
        assert_eq!(one, digest(&[("java/b", "2"), ("java/a", "1"), ("go/program", "not copied")]));
        for other in
            [[("java/a", "12"), ("java/b", "")], [("java/a", "1"), ("java/c", "2")], [("java/a", "1"), ("node/b", "2")]]
        {
            assert_ne!(one, digest(&other));
        }
        assert_eq!(one.len(), 32);
    }
}
