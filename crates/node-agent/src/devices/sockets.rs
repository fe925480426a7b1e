//! The plugins' sockets, in the kubelet's folder: a name of its own for each start of the agent, so that the one that goes
//! and the one that comes are never taken for each other.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use epiphyte_api::Device;
use tokio::net::UnixListener;

/// What the names of all our sockets begin with.
const PREFIX: &str = "epiphyte-";

/// A word for a device, in names of sockets and ids.
pub(crate) const fn word(device: Device) -> &'static str {
    match device {
        Device::Java => "java",
        Device::Python => "python",
        Device::JavaScript => "javascript",
        Device::Go => "go",
    }
}

/// A socket that is listened on. Its file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    /// What tells our file from one that another made under its name.
    inode: u64,
}

impl Socket {
    /// Name of the file.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Listens for the kubelet on the socket of a device.
    ///
    /// # Errors
    /// The kubelet's folder is not there or cannot be written to.
    pub(crate) fn listen(folder: &Path, start: &str, device: Device) -> io::Result<(Self, UnixListener)> {
        let path = folder.join(format!("{PREFIX}{start}-{}.sock", word(device)));
        let listener = UnixListener::bind(&path)?;
        let inode = fs::symlink_metadata(&path)?.ino();
        Ok((Self { path, inode }, listener))
    }

    /// Whether the file is still there: the kubelet empties its folder when it starts.
    pub(crate) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_there() {
            // Somebody may have been faster.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the sockets that starts which ended without a word have left.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_socket());
        if is_ours
            && UnixStream::connect(entry.path()).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            // Another agent may have swept it.
            let _ = fs::remove_file(entry.path());
        }
    }
}
