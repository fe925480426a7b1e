//! What is kept of each device that was given away, in a folder of its own.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{IDENTITY_FOLDER, Store, StoreError, folder, gone};

const ALLOCATION: &str = "allocation.json";
const IDENTITY: &str = "identity";

/// Which folder the container of a device got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Allocation {
    /// Name of the folder of agents.
    pub(super) agents: String,
}

impl Store {
    /// Keeps that a device was given away with a folder of agents, and who its container probably is. Tells the folder
    /// that the container is to find its identity in.
    ///
    /// # Errors
    /// It cannot be written, or the folder of agents has gone meanwhile.
    pub(crate) fn allocate(&self, id: &str, agents: &Path, identity: &str) -> Result<PathBuf, StoreError> {
        // Nobody collects the folder while it is written down that it is used.
        let _lock = self.lock()?;
        fs::metadata(agents).map_err(StoreError::new("cannot find", agents))?;
        let name = agents.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let device = self.devices().join(id);
        let identity_folder = device.join(IDENTITY_FOLDER);
        folder(&identity_folder)?;
        // Whatever it says of an earlier container must not be read by the next one.
        let stale = identity_folder.join(IDENTITY);
        gone(fs::remove_file(&stale)).map_err(StoreError::new("cannot remove", &stale))?;
        let allocation = serde_json::json!(Allocation { agents: name }).to_string();
        write(&device, ALLOCATION, &allocation)?;
        if !identity.is_empty() {
            write(&identity_folder, IDENTITY, identity)?;
        }
        Ok(identity_folder)
    }

    /// Leaves word of who the container of a device is. Does nothing where it is known already; tells whether it did.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn identify(&self, id: &str, identity: &str) -> Result<bool, StoreError> {
        let folder = self.devices().join(id).join(IDENTITY_FOLDER);
        if fs::read_to_string(folder.join(IDENTITY)).is_ok_and(|known| known == identity) {
            return Ok(false);
        }
        write(&folder, IDENTITY, identity).map(|()| true)
    }

    /// The devices that were given away and are not collected yet.
    pub(crate) fn allocated(&self) -> Vec<String> {
        let entries = fs::read_dir(self.devices()).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    /// What is kept of a device; `None` where it was never written down, or not to the end.
    pub(super) fn allocation(&self, id: &str) -> Option<Allocation> {
        serde_json::from_str(&fs::read_to_string(self.devices().join(id).join(ALLOCATION)).ok()?).ok()
    }
}

/// Writes a file that everybody can read; who reads it finds the old or the new, and never a part.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), StoreError> {
    let (path, new) = (folder.join(name), folder.join(format!(".{name}")));
    let put = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        fs::rename(&new, &path)
    };
    put().map_err(|source| {
        // On a full disk the empty file would stay.
        let _ = fs::remove_file(&new);
        StoreError { what: "cannot write", path: path.clone(), source }
    })
}
