//! The compiler for eBPF: the machine's, else Debian's, unpacked for this one build without being installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::step::Step;

/// What is called.
const PROGRAMS: [&str; 2] = ["clang", "llvm-strip"];

/// A compiler, and where its parts are.
pub struct Clang {
    /// Where it was unpacked; `None` where the machine has it.
    unpacked: Option<PathBuf>,
}

impl Clang {
    /// Finds the compiler, or unpacks it into a new folder.
    pub fn find(step: &mut Step, folder: &Path) -> Result<Self> {
        if PROGRAMS.into_iter().all(command::has) {
            return Ok(Self { unpacked: None });
        }
        unpack(step, folder).context("clang and llvm-strip are needed; install the packages clang and llvm")?;
        Ok(Self { unpacked: Some(folder.to_owned()) })
    }

    /// Lets a command use it.
    pub fn lend(&self, command: &mut Command) {
        let Some(root) = &self.unpacked else { return };
        command.env("PATH", before(&[root.join("usr/bin")], "PATH"));
        let architecture = format!("{}-linux-gnu", env::consts::ARCH);
        let libraries = [root.join("usr/lib").join(&architecture), root.join("lib").join(architecture)];
        command.env("LD_LIBRARY_PATH", before(&libraries, "LD_LIBRARY_PATH"));
    }
}

/// A list of folders: these, then what the variable has.
fn before(folders: &[PathBuf], variable: &str) -> OsString {
    let given = env::var_os(variable).unwrap_or_default();
    let given = env::split_paths(&given).filter(|folder| !folder.as_os_str().is_empty());
    env::join_paths(folders.iter().cloned().chain(given)).unwrap_or_default()
}

/// Fetches the packages that an installation would bring, and unpacks them.
fn unpack(step: &mut Step, folder: &Path) -> Result<()> {
    step.at("fetching clang");
    let mut plan = Command::new("apt-get");
    plan.args(["install", "--print-uris", "--quiet=2", "--yes", "--no-install-recommends", "clang", "llvm"]);
    let output = plan.output().context("cannot run apt-get")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let listed = String::from_utf8_lossy(&output.stdout);
    // A line is: the address in quotes, the name of the file `<package>_<version>_<architecture>.deb`, its size, its digest.
    let packages: Vec<_> =
        listed.lines().filter_map(|line| line.split(' ').nth(1)?.split_once('_')).map(|(package, _)| package).collect();
    let archives = folder.join("archives");
    fs::create_dir_all(&archives).with_context(|| format!("cannot create {}", archives.display()))?;
    let mut download = Command::new("apt-get");
    download.args(["download", "--quiet"]).args(packages).current_dir(&archives);
    command::run(step, download)?;
    for archive in fs::read_dir(&archives).context("cannot read the archives")? {
        let mut unpack = Command::new("dpkg");
        unpack.arg("--extract").arg(archive.context("cannot read the archives")?.path()).arg(folder);
        command::run(step, unpack)?;
    }
    Ok(())
}
