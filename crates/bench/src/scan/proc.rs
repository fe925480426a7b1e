//! A proc folder that shows real processes as those of containers: all is the kernel's own but `cgroup`, which is made up.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// A proc folder. Goes when dropped.
pub(super) struct Proc(TempDir);

impl Proc {
    /// One without processes.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Shows a process as one of a container.
    pub(super) fn show(&self, pid: u32, pod_uid: &str, container: &str) -> Result<()> {
        let (real, folder) = (PathBuf::from(format!("/proc/{pid}")), self.path().join(pid.to_string()));
        fs::create_dir(&folder)?;
        for file in ["auxv", "cmdline", "environ", "maps", "root", "stat"] {
            symlink(real.join(file), folder.join(file))?;
        }
        // Where this link leads is read, so that it has to be the real one's place.
        symlink(fs::read_link(real.join("exe")).context("a process is gone")?, folder.join("exe"))?;
        let pod = pod_uid.replace('-', "_");
        let slice = format!("kubepods-burstable-pod{pod}.slice");
        let cgroup = format!("0::/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{container}.scope\n");
        fs::write(folder.join("cgroup"), cgroup)?;
        Ok(())
    }
}
