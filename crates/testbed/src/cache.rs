//! What is built once for each content, in a folder that processes and clones share.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::programs::progress::Progress;
use crate::{Error, Result};

/// A digest of everything that decides what comes out of a build.
#[derive(Debug, Default)]
pub struct Key(Sha256);

impl Key {
    /// Takes in one more part.
    pub fn add(&mut self, bytes: &[u8]) {
        // The length first, so that no two lists of parts look the same.
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    /// The digest, short enough for the name of a folder.
    pub fn finish(self) -> String {
        self.0.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The cache of this user: `EPIPHYTE_CACHE`, else where caches are kept. Outside the build folder, so that a fresh clone
/// finds what another one built. It need not exist yet.
///
/// # Errors
/// When no variable says where that is.
pub fn folder() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let under = |base: OsString, rest: &str| PathBuf::from(base).join(rest);
    variable("EPIPHYTE_CACHE")
        .map(PathBuf::from)
        .or_else(|| variable("XDG_CACHE_HOME").map(|base| under(base, "epiphyte")))
        .or_else(|| variable("HOME").map(|base| under(base, ".cache/epiphyte")))
        .ok_or(Error::NoCacheFolder)
}

/// The folder `<name>-<key>` of a cache; `make` fills an empty one first where there is none yet. Only one process makes a
/// name at a time, and what is there is whole: it comes into place by a rename.
///
/// # Errors
/// What `make` says, or when the cache cannot be written.
pub fn once<E: From<Error>>(
    cache: &Path,
    name: &str,
    key: &str,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let entry = cache.join(format!("{name}-{key}"));
    if entry.exists() {
        return Ok(entry);
    }
    fs::create_dir_all(cache).map_err(Error::file("create", cache))?;
    let path = cache.join(format!("{name}.lock"));
    let lock = File::create(&path).map_err(Error::file("create", &path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let waiting = Progress::start(format!("waiting for another process to build {name}"));
            lock.lock().map_err(Error::file("lock", &path))?;
            waiting.done();
        }
        Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source).into()),
    }
    // Whoever held the lock may have made it.
    if !entry.exists() {
        let folder = cache.join(format!(".building-{name}"));
        // Left by a build that was cut off; the lock says that none is at work.
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
        fs::create_dir(&folder).map_err(Error::file("create", &folder))?;
        make(&folder)?;
        fs::rename(&folder, &entry).map_err(Error::file("put in place", &entry))?;
    }
    Ok(entry)
}
