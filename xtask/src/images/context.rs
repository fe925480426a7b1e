//! A build context: what a Dockerfile finds beside itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use epiphyte_testbed::cache::Key;
use epiphyte_testbed::debian::Debian;

use crate::command;
use crate::step::Step;

/// Something that a build context holds.
pub enum Part {
    /// A file or a folder with all that is in it, under a name of its own.
    Copy {
        /// Where it is.
        from: PathBuf,
        /// Its name in the context.
        to: &'static str,
    },
    /// The root folder that these Debian packages make, as `root.tar`.
    Root(&'static [&'static str]),
}

impl Part {
    /// A file or folder, under a name of its own.
    pub fn copy(from: impl Into<PathBuf>, to: &'static str) -> Self {
        Self::Copy { from: from.into(), to }
    }
}

/// What tells one content of an image from another, in a file name: packages count by name, files by what is in them.
///
/// # Errors
/// A part cannot be read.
pub fn digest(image: &str, parts: &[Part]) -> Result<String> {
    let mut key = Key::default();
    let mut add = |bytes: &[u8]| key.add(bytes);
    add(image.as_bytes());
    for part in parts {
        match part {
            Part::Root(packages) => add(packages.join(" ").as_bytes()),
            Part::Copy { from, to } => {
                let mut paths = Vec::new();
                walk(from, &mut paths)?;
                for path in paths {
                    let metadata = fs::symlink_metadata(&path)?;
                    add(to.as_bytes());
                    add(path.strip_prefix(from).unwrap_or(&path).as_os_str().as_encoded_bytes());
                    add(&metadata.permissions().mode().to_le_bytes());
                    if metadata.is_symlink() {
                        add(fs::read_link(&path)?.as_os_str().as_encoded_bytes());
                    } else if metadata.is_file() {
                        add(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
                    }
                }
            }
        }
    }
    Ok(key.finish())
}

/// Puts parts into a folder, which is made.
///
/// # Errors
/// A part cannot be had or written.
pub fn lay_out(step: &mut Step, parts: &[Part], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for part in parts {
        match part {
            Part::Root(packages) => {
                let root = tempfile::tempdir_in(folder)?;
                Debian::open()?.unpack(packages, root.path(), &mut |line| step.at(line))?;
                fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))?;
                let mut tar = Command::new("tar");
                tar.args(["--create", "--sort=name", "--owner=0:0", "--group=0:0"]);
                tar.arg("--file").arg(folder.join("root.tar")).arg("--directory").arg(root.path()).arg(".");
                command::run(step, tar)?;
            }
            Part::Copy { from, to } => {
                let mut copy = Command::new("cp");
                copy.args(["--recursive", "--no-dereference", "--no-target-directory", "--preserve=mode"]);
                copy.arg(from).arg(folder.join(to));
                command::run(step, copy).with_context(|| format!("cannot copy {}", from.display()))?;
            }
        }
    }
    Ok(())
}

/// A path and all below it, in the order of their names. Links are not followed.
fn walk(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?.is_dir();
    found.push(path.to_owned());
    if is_folder {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        entries.sort();
        for entry in entries {
            walk(&entry, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_contents_names_modes_and_packages_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "one").unwrap();
        let of = |to| digest("image", &[Part::copy(folder.path(), to)]).unwrap();
        let mut seen = vec![of("a"), of("b"), digest("image", &[Part::Root(&["a"])]).unwrap()];
        seen.push(digest("image", &[Part::Root(&["b"])]).unwrap());
        fs::write(&file, "two").unwrap();
        seen.push(of("a"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        seen.push(of("a"));
        fs::rename(&file, folder.path().join("other")).unwrap();
        seen.push(of("a"));
        assert_eq!(of("a"), *seen.last().unwrap());
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
