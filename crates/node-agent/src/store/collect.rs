//! Removes what no container uses any more.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::info;

use super::{Store, StoreError};

/// A device that was given away this recently may not be listed yet by the kubelet.
const RECENT: Duration = Duration::from_mins(2);

impl Store {
    /// Forgets the devices that are not in use, and removes the folders that none of the others got and that are not the
    /// current one.
    ///
    /// # Errors
    /// Something cannot be removed; the next time it is tried again.
    pub(crate) fn collect(&self, in_use: &HashSet<String>, current: &Path, now: SystemTime) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let current = current.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut wanted = HashSet::from([current]);
        for id in self.allocated() {
            let path = self.devices().join(&id);
            let given = fs::metadata(path.join("allocation.json")).and_then(|file| file.modified());
            let recent = given.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age < RECENT));
            if !in_use.contains(&id) && !recent {
                self.remove(&path, &lock)?;
            } else if let Some(allocation) = self.allocation(&id) {
                wanted.insert(allocation.agents);
            }
        }
        for entry in fs::read_dir(self.agents()).into_iter().flatten().filter_map(Result::ok) {
            if !wanted.contains(&*entry.file_name().to_string_lossy()) {
                info!(folder = %entry.path().display(), "removing agent files that no container uses");
                self.remove(&entry.path(), &lock)?;
            }
        }
        Ok(())
    }
}
