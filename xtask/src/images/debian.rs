//! Debian packages, unpacked without being installed: the tools that build images, and the roots that samples run in.
//!
//! Packages are named one by one and nothing is pulled in besides, so that a root has what its program needs and no more.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::step::Step;

/// The suite whose packages the images are made for; apt gets them from the host's own sources.
const SUITE: &str = "bookworm";

/// What nobody reads in an image.
const LEFT_OUT: [&str; 6] = ["bug", "doc", "info", "lintian", "locale", "man"];

/// An apt of its own: it reads where the host gets its packages from, and writes only into its folder.
pub struct Debian {
    folder: PathBuf,
    /// Where downloads are until they are unpacked.
    scratch: PathBuf,
    /// Set once the lists of packages are those of today: before the first download.
    updated: OnceCell<()>,
}

impl Debian {
    /// An apt that keeps its lists in one folder and its downloads in another.
    ///
    /// # Errors
    /// This is not the Debian that the images are made for, or the folder cannot be written.
    pub fn new(folder: &Path, scratch: &Path) -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        ensure!(
            release.lines().any(|line| line == format!("VERSION_CODENAME={SUITE}")),
            "images are built on Debian 12 ({SUITE}), whose packages they are made of; this is another system"
        );
        for part in ["lists/partial", "archives/partial", "none"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let at = |part: &str| folder.join(part).display().to_string();
        fs::write(at("status"), "")?;
        // A host may have other sources than Debian's.
        fs::write(at("preferences"), "Package: *\nPin: release o=Debian\nPin-Priority: 1001\n")?;
        let settings = [
            ("Dir::State", at("")),
            ("Dir::State::Lists", at("lists")),
            ("Dir::State::status", at("status")),
            ("Dir::Cache", at("")),
            ("Dir::Cache::Archives", at("archives")),
            ("Dir::Log", at("")),
            ("Dir::Etc::Preferences", at("preferences")),
            ("Dir::Etc::PreferencesParts", at("none")),
            ("APT::Sandbox::User", "root".to_owned()),
        ];
        let settings: String = settings.iter().map(|(key, value)| format!("{key} \"{value}\";\n")).collect();
        fs::write(at("apt.conf"), settings)?;
        Ok(Self { folder: folder.to_owned(), scratch: scratch.to_owned(), updated: OnceCell::new() })
    }

    /// A folder of the cache with packages unpacked, for use on this machine; unpacks them first where it is not there.
    ///
    /// # Errors
    /// As [`Debian::unpack`].
    pub fn tool(&self, step: &mut Step, packages: &[&str], folder: &Path) -> Result<()> {
        if folder.exists() {
            return Ok(());
        }
        let unpacked = tempfile::tempdir_in(&self.scratch)?;
        self.unpack(step, packages, unpacked.path())?;
        fs::rename(unpacked.keep(), folder).with_context(|| format!("cannot put {} in place", folder.display()))
    }

    /// Unpacks packages into a folder laid out as Debian's root is.
    ///
    /// # Errors
    /// A package cannot be had or unpacked.
    pub fn unpack(&self, step: &mut Step, packages: &[&str], root: &Path) -> Result<()> {
        if self.updated.get().is_none() {
            let update = self.apt(&["update", "--error-on=any"]);
            command::run(step, update).context("Debian's lists of packages cannot be had")?;
            // Set here alone.
            let _ = self.updated.set(());
        }
        for folder in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(root.join("usr").join(folder))?;
            symlink(format!("usr/{folder}"), root.join(folder))?;
        }
        // By themselves in a folder, so that what lies there is what was asked for.
        let downloads = tempfile::tempdir_in(&self.scratch)?;
        let mut download = self.apt(&["download"]);
        download.args(packages).current_dir(downloads.path());
        command::run(step, download).with_context(|| format!("cannot get {}", packages.join(", ")))?;
        for entry in fs::read_dir(downloads.path())? {
            let package = entry?.path();
            step.at(&format!("unpacking {}", package.display()));
            let mut unpack = Command::new("sh");
            unpack.args(["-c", r#"dpkg-deb --fsys-tarfile "$0" | tar --extract --keep-directory-symlink "$@""#]);
            unpack.arg(&package).arg("--directory").arg(root);
            unpack.args(LEFT_OUT.map(|name| format!("--exclude=./usr/share/{name}")));
            command::run(step, unpack).with_context(|| format!("cannot unpack {}", package.display()))?;
        }
        Ok(())
    }

    fn apt(&self, arguments: &[&str]) -> Command {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet").args(arguments).env("APT_CONFIG", self.folder.join("apt.conf"));
        apt
    }
}
