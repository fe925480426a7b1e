//! A made-up proc folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

/// A proc folder in a temporary folder.
pub struct Proc(TempDir);

impl Proc {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a proc folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The first process of a container runs this program.
    pub fn process(&self, pid: u32, container: &str, program: impl AsRef<Path>, environment: &str) {
        let folder = self.0.path().join(pid.to_string());
        fs::create_dir_all(folder.join("root")).expect("the process's folder is made");
        symlink(program, folder.join("exe")).expect("the program is linked");
        let stat = format!("{pid} (app) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0 0\n");
        let cgroup = format!("0::/kubepods/pod0b1f8d4e-6c3a-4d52-9e7f-1a2b3c4d5e6f/{container}\n");
        for (file, text) in [("stat", stat.as_str()), ("cgroup", &cgroup), ("environ", environment)] {
            fs::write(folder.join(file), text).expect("the file is written");
        }
        for file in ["cmdline", "maps", "auxv"] {
            fs::write(folder.join(file), "").expect("the file is written");
        }
    }
}

/// The container runtime's id of a container: any text makes one.
pub fn container_id(of: &str) -> String {
    let hash = of
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}").repeat(4)
}
