//! Agent files on the host: in folders named by their content, put in place by rename, never changed afterwards.
//!
//! ```text
//! <host folder>/lock                             held while anything is put in place or removed
//! <host folder>/agents/<digest>/                 mounted into containers
//! <host folder>/incoming/                        on its way in or out
//! <host folder>/devices/<id>/allocation.json     which folder the device's container got
//! <host folder>/devices/<id>/identity/identity   who the container is; the folder is mounted into it
//! ```
//!
//! Two agents may be at work for a while, when one is to replace the other. Nothing here waits for anything but the disk.

mod allocation;
mod collect;
mod content;
mod keeper;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use epiphyte_api::Device;
use epiphyte_api::names::{DEVICE_MOUNT_PATH, DEVICE_PRELOAD};
use epiphyte_injector_core::{JAVA_AGENT, NODE_AGENT, PYTHON_AGENT};
use rustix::fs::{FlockOperation, flock};

pub(crate) use keeper::{Keeper, Supply};

use content::Content;

/// What containers are given: the folders of the source that are copied.
const COPIED: [&str; 4] = ["injector", "java", "node", "python"];

/// The folder of the device's container in the host folder, and the file in it.
const IDENTITY_FOLDER: &str = "identity";

/// Agent files cannot be put in place, or what is known of a device cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {source}", path.display())]
pub struct StoreError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StoreError {
    fn new(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { what, path: path.to_owned(), source }
    }

    /// A word for metrics.
    pub(crate) fn category(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
            io::ErrorKind::NotFound => "missing",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "forbidden",
            _ => "failed",
        }
    }
}

/// The folder of the host that everything is in.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: Arc<Path>,
    /// Set when everything was removed for good: nothing is put there any more.
    closed: Arc<AtomicBool>,
}

/// Held while anything is put in place or removed, by one process at a time. A process that dies lets go of it.
struct Lock {
    _file: File,
}

impl Store {
    /// The host folder has the same path here and on the host.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.into(), closed: Arc::default() }
    }

    fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }

    fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    fn devices(&self) -> PathBuf {
        self.root.join("devices")
    }

    fn lock(&self) -> Result<Lock, StoreError> {
        self.open()?;
        let lock = self.lock_anyway()?;
        self.open()?;
        Ok(lock)
    }

    fn open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::new("was told to leave", &self.root)(io::ErrorKind::Other.into()));
        }
        Ok(())
    }

    fn lock_anyway(&self) -> Result<Lock, StoreError> {
        folder(&self.root)?;
        let path = self.root.join("lock");
        let failed = |source| StoreError { what: "cannot lock", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        Ok(Lock { _file: file })
    }

    /// Puts the agent files of a source in place, and tells the folder. What is there and whole is left alone.
    ///
    /// # Errors
    /// The source cannot be read or the host folder not be written. Then no half of a folder is left behind.
    pub(crate) fn put_in_place(&self, source: &Path) -> Result<PathBuf, StoreError> {
        let content = Content::of(source, &COPIED)?;
        let target = self.agents().join(content.digest());
        let lock = self.lock()?;
        // Nobody else is at work: what is incoming was left by somebody who died.
        self.sweep(&lock)?;
        if content.is_whole_in(&target) {
            return Ok(target);
        }
        self.remove(&target, &lock)?;
        let incoming = self.incoming().join("new");
        folder(&incoming)?;
        if let Err(error) = content.copy_to(&incoming) {
            // Room for others on a full disk; the next attempt sweeps again.
            self.sweep(&lock)?;
            return Err(error);
        }
        folder(&self.agents())?;
        fs::rename(&incoming, &target).map_err(StoreError::new("cannot put in place", &target))?;
        self.sweep(&lock)?;
        Ok(target)
    }

    /// Removes what was left on its way in or out.
    fn sweep(&self, _lock: &Lock) -> Result<(), StoreError> {
        let path = self.incoming();
        gone(fs::remove_dir_all(&path)).map_err(StoreError::new("cannot remove", &path))
    }

    /// Removes a folder: at once for all who look, then from the disk.
    fn remove(&self, path: &Path, lock: &Lock) -> Result<(), StoreError> {
        folder(&self.incoming())?;
        let out = self.incoming().join("old");
        gone(fs::rename(path, &out)).map_err(StoreError::new("cannot remove", path))?;
        self.sweep(lock)
    }

    /// Removes everything: for good, when Epiphyte is uninstalled. What else this process was about to put there comes
    /// too late.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub(crate) fn clean(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::SeqCst);
        if !self.root.is_dir() {
            return Ok(());
        }
        let _lock = self.lock_anyway()?;
        for path in [self.agents(), self.devices(), self.incoming(), self.root.join("lock")] {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone(removed).map_err(StoreError::new("cannot remove", &path))?;
        }
        // It may be a mount, or hold what is not ours.
        let _ = fs::remove_dir(&self.root);
        Ok(())
    }
}

/// Makes a folder that everybody can read, and those above it.
fn folder(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError { what: "cannot make", path: path.to_owned(), source };
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    gone_or_there(fs::create_dir(path)).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Nothing is wrong with what is not there.
fn gone(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn gone_or_there(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

/// The files without which a device is of no use, under the folder of the agents.
pub(crate) fn needed(device: Device) -> impl Iterator<Item = &'static str> {
    let agent = match device {
        Device::Java => Some(JAVA_AGENT),
        Device::JavaScript => Some(NODE_AGENT),
        Device::Python => Some(PYTHON_AGENT),
        Device::Go => None,
    };
    let library = DEVICE_PRELOAD.strip_prefix(DEVICE_MOUNT_PATH).filter(|_| device.preloads());
    [library, agent].into_iter().flatten().map(|path| path.trim_start_matches('/'))
}
