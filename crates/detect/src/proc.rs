//! The edge: every file that is opened, under the proc folder and inside containers. All bounds on sizes stand here.
//!
//! A process may end at any time, so that nothing here is an error: what cannot be read is not there.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use crate::read::beginning;
use crate::stat::{Stat, stat};

/// A file of a process that is read as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProcFile {
    Auxv,
    Cgroup,
    CommandLine,
    Environment,
    /// About 5,000 mappings are read, which costs the kernel a few milliseconds.
    Maps,
    Stat,
}

impl ProcFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Auxv => "auxv",
            Self::Cgroup => "cgroup",
            Self::CommandLine => "cmdline",
            Self::Environment => "environ",
            Self::Maps => "maps",
            Self::Stat => "stat",
        }
    }

    /// Most bytes that are read of it.
    const fn limit(self) -> u64 {
        match self {
            Self::Auxv | Self::Stat => 4 * 1024,
            Self::Cgroup | Self::CommandLine => 16 * 1024,
            Self::Environment => 256 * 1024,
            Self::Maps => 512 * 1024,
        }
    }
}

/// What tells one file from another, the same file in another container of the same image excepted: an overlay's device
/// differs from mount to mount, and the times of a layer's files do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for FileId {
    fn from(it: &Metadata) -> Self {
        Self {
            inode: it.ino(),
            size: it.size(),
            modified: (it.mtime(), it.mtime_nsec()),
            changed: (it.ctime(), it.ctime_nsec()),
        }
    }
}

/// A regular file that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) id: FileId,
}

/// The proc folder.
#[derive(Debug)]
pub(crate) struct Proc {
    root: PathBuf,
}

impl Proc {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The ids of all processes.
    pub(crate) fn processes(&self) -> io::Result<impl Iterator<Item = u32>> {
        let entries = std::fs::read_dir(&self.root)?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
    }

    /// Reads the beginning of a file into the buffer.
    pub(crate) fn read(&self, pid: u32, file: ProcFile, into: &mut Vec<u8>) -> Option<()> {
        beginning(&self.path(pid, file.name()), file.limit(), into).ok()
    }

    pub(crate) fn stat(&self, pid: u32, buffer: &mut Vec<u8>) -> Option<Stat> {
        self.read(pid, ProcFile::Stat, buffer)?;
        stat(buffer)
    }

    /// Path of the program, as the container knows it.
    pub(crate) fn program_path(&self, pid: u32) -> Option<String> {
        let path = std::fs::read_link(self.path(pid, "exe")).ok()?;
        let path = path.to_string_lossy();
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }

    /// The program itself, even where its path leads to another file by now.
    pub(crate) fn program(&self, pid: u32) -> Option<Opened> {
        // Under a real proc folder the link leads to a regular file, always.
        regular(File::open(self.path(pid, "exe")).ok()?)
    }

    /// A file as the process would find it under this path. Links of the container are followed within the container, and
    /// whatever is no regular file is left alone.
    pub(crate) fn inside(&self, pid: u32, path: &str) -> Option<Opened> {
        let root = File::open(self.path(pid, "root")).ok()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        regular(openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?.into())
    }

    fn path(&self, pid: u32, name: &str) -> PathBuf {
        let mut path = self.root.join(pid.to_string());
        path.push(name);
        path
    }
}

fn regular(file: File) -> Option<Opened> {
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    Some(Opened { id: (&metadata).into(), file })
}
