//! Debian packages, unpacked without being installed: tools for this machine, and the roots that images are made of.
//!
//! Packages are named one by one and nothing is pulled in besides, so that a root has what its program needs and no more.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cache::{self, Key};
use crate::programs::output;
use crate::{Error, Result};

/// The suite whose packages are named here and in images; apt gets them from the host's own sources.
const SUITE: &str = "bookworm";

/// What nobody reads in an image.
const LEFT_OUT: [&str; 6] = ["bug", "doc", "info", "lintian", "locale", "man"];

/// Whether the lists of packages are those of today, as far as this process goes.
static UPDATED: AtomicBool = AtomicBool::new(false);

/// An apt of its own: it reads where the host gets its packages from, and writes only into its folder of the cache.
#[derive(Debug)]
pub struct Debian {
    folder: PathBuf,
    /// Held as long as this value lives: apt's lists are one process's at a time.
    _lock: File,
}

impl Debian {
    /// An apt that keeps its lists in the cache; waits for others that use it.
    ///
    /// # Errors
    /// When this is not the Debian whose packages are named, or the cache cannot be written.
    pub fn open() -> Result<Self> {
        is_this_system()?;
        let folder = cache::folder()?.join("debian");
        for part in ["lists/partial", "archives/partial", "none"] {
            fs::create_dir_all(folder.join(part)).map_err(Error::file("create", &folder))?;
        }
        let lock = folder.join(".lock");
        let file = File::create(&lock).map_err(Error::file("create", &lock))?;
        file.lock().map_err(Error::file("lock", &lock))?;
        let at = |part: &str| folder.join(part).display().to_string();
        let write = |part: &str, text: &str| fs::write(at(part), text).map_err(Error::file("write", folder.join(part)));
        write("status", "")?;
        // A host may have other sources than Debian's.
        write("preferences", "Package: *\nPin: release o=Debian\nPin-Priority: 1001\n")?;
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
        write("apt.conf", &settings)?;
        Ok(Self { folder, _lock: file })
    }

    /// Unpacks packages into a folder laid out as Debian's root is; tells `at` what it does.
    ///
    /// # Errors
    /// When a package cannot be had or unpacked.
    pub fn unpack(&self, packages: &[&str], root: &Path, at: &mut dyn FnMut(&str)) -> Result<()> {
        if !UPDATED.load(Ordering::Relaxed) {
            output(&mut self.apt(&["update", "--error-on=any"]), at)?;
            UPDATED.store(true, Ordering::Relaxed);
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            let (folder, link) = (root.join("usr").join(name), root.join(name));
            fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
            symlink(format!("usr/{name}"), &link).map_err(Error::file("link", &link))?;
        }
        // By themselves in a folder, so that what lies there is what was asked for.
        let downloads = tempfile::tempdir_in(&self.folder).map_err(Error::file("create", &self.folder))?;
        output(self.apt(&["download"]).args(packages).current_dir(downloads.path()), at)?;
        for entry in fs::read_dir(downloads.path()).map_err(Error::file("read", downloads.path()))? {
            let package = entry.map_err(Error::file("read", downloads.path()))?.path();
            at(&format!("unpacking {}", package.display()));
            let mut unpack = Command::new("sh");
            unpack.args(["-c", r#"dpkg-deb --fsys-tarfile "$0" | tar --extract --keep-directory-symlink "$@""#]);
            unpack.arg(&package).arg("--directory").arg(root);
            output(unpack.args(LEFT_OUT.map(|name| format!("--exclude=./usr/share/{name}"))), at)?;
        }
        Ok(())
    }

    fn apt(&self, arguments: &[&str]) -> Command {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet").args(arguments).env("APT_CONFIG", self.folder.join("apt.conf"));
        apt
    }
}

/// Whether packages can be had here.
///
/// # Errors
/// When this is not the Debian whose packages are named.
pub(crate) fn is_this_system() -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_it = release.lines().any(|line| line == format!("VERSION_CODENAME={SUITE}"));
    if is_it { Ok(()) } else { Err(Error::NotDebian { suite: SUITE }) }
}

/// A folder of the cache with packages unpacked, for use on this machine from where they are; unpacks them first where it
/// is not there.
///
/// # Errors
/// As [`Debian::open`] and [`Debian::unpack`].
pub fn tool(name: &str, packages: &[&str], at: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let mut key = Key::default();
    packages.iter().for_each(|package| key.add(package.as_bytes()));
    let cache = cache::folder()?.join("debian");
    cache::once(&cache, name, &key.finish(), |folder| {
        Debian::open()?.unpack(packages, folder, at)?;
        keep_links(folder, folder)
    })
}

/// Turns links that lead from the root of the system into such that lead to the same place in here, where there is one.
fn keep_links(root: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        let Ok(target) = fs::read_link(&path) else {
            if path.is_dir() {
                keep_links(root, &path)?;
            }
            continue;
        };
        let Some(inside) = target.strip_prefix("/").ok().filter(|inside| root.join(inside).exists()) else { continue };
        let up = folder.strip_prefix(root).unwrap_or(folder).components().map(|_| "..");
        let target = up.collect::<PathBuf>().join(inside);
        fs::remove_file(&path).and_then(|()| symlink(target, &path)).map_err(Error::file("link", &path))?;
    }
    Ok(())
}

/// Where the libraries of an unpacked root are: a folder named for the architecture.
pub fn libraries(root: &Path) -> PathBuf {
    root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_from_the_root_lead_to_the_same_place_inside_and_others_are_left() {
        let root = tempfile::tempdir().unwrap();
        let (etc, bin) = (root.path().join("etc/tool"), root.path().join("usr/share/tool/bin"));
        fs::create_dir_all(&etc).unwrap();
        fs::create_dir_all(&bin).unwrap();
        fs::write(etc.join("tool.conf"), "here").unwrap();
        symlink("/etc/tool/tool.conf", bin.join("tool.conf")).unwrap();
        symlink("/nowhere/at/all", bin.join("absent")).unwrap();
        keep_links(root.path(), root.path()).unwrap();
        assert_eq!(fs::read_to_string(bin.join("tool.conf")).unwrap(), "here");
        assert_eq!(fs::read_link(bin.join("tool.conf")).unwrap(), Path::new("../../../../etc/tool/tool.conf"));
        assert_eq!(fs::read_link(bin.join("absent")).unwrap(), Path::new("/nowhere/at/all"));
    }
}
