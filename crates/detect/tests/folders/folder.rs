//! A made-up proc folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A proc folder in a temporary folder.
pub struct Folder {
    folder: TempDir,
}

/// A process of it, written piece by piece.
pub struct ProcessFolder {
    pub path: PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A process that runs this program, as old as its id is low.
    pub fn process(&self, pid: u32, parent: u32, program: impl AsRef<Path>) -> ProcessFolder {
        let path = self.folder.path().join(pid.to_string());
        fs::create_dir_all(path.join("root")).unwrap();
        symlink(program, path.join("exe")).unwrap();
        let process = ProcessFolder { path };
        let stat = format!("{pid} (some (name)) S {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0 0\n");
        process.file("stat", stat).file("cmdline", "").file("environ", "").file("maps", "").file("auxv", "")
    }
}

impl ProcessFolder {
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn arguments(self, arguments: &[&str]) -> Self {
        self.file("cmdline", format!("{}\0", arguments.join("\0")))
    }

    pub fn variables(self, variables: &[&str]) -> Self {
        self.file("environ", format!("{}\0", variables.join("\0")))
    }

    pub fn maps(self, files: &[&str]) -> Self {
        let lines = files.iter().map(|file| format!("7f0000000000-7f0000001000 r-xp 00000000 08:01 12     {file}\n"));
        let lines = lines.collect::<String>();
        self.file("maps", lines)
    }

    pub fn cgroup(self, file: &str) -> Self {
        self.file("cgroup", file)
    }
}

/// The smallest 64-bit program with this dynamic linker.
pub fn program_with_linker(linker: &str) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([2u16, 62].iter().flat_map(|it| it.to_le_bytes()));
    file.extend(1u32.to_le_bytes());
    file.extend([0u64, 64, 0].iter().flat_map(|it| it.to_le_bytes()));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 56, 1, 64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
    file.extend([3u32, 4].iter().flat_map(|it| it.to_le_bytes()));
    let length = linker.len() as u64 + 1;
    file.extend([120, 0, 0, length, length, 1].iter().flat_map(|it: &u64| it.to_le_bytes()));
    file.extend(linker.as_bytes());
    file.push(0);
    file
}
