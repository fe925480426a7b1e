//! Folders of files: linked, made readable for everybody, weighed.

use std::fs::{self, DirEntry, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The mode of a file that is read.
pub const READ: u32 = 0o644;
/// The mode of a folder, and of a file that is run.
pub const RUN: u32 = 0o755;

/// What becomes of an entry: a folder is gone into, a file handled.
fn walk(folder: &Path, each: &mut dyn FnMut(&DirEntry, bool) -> Result<()>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let is_folder = entry.file_type().with_context(|| format!("cannot read {}", folder.display()))?.is_dir();
        each(&entry, is_folder)?;
        if is_folder {
            walk(&entry.path(), each)?;
        }
    }
    Ok(())
}

/// Links the files of a folder into a new one on the same disk, which costs no room. They are the same files: what is
/// changed of one is changed of the other.
pub fn link(from: &Path, to: &Path) -> Result<()> {
    replicate(from, to, |from, to| fs::hard_link(from, to))
}

/// Copies the files of a folder into a new one, where they can be changed.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    replicate(from, to, |from, to| {
        fs::copy(from, to)?;
        fs::set_permissions(to, mode(READ))
    })
}

fn replicate(from: &Path, to: &Path, file: impl Fn(&Path, &Path) -> std::io::Result<()>) -> Result<()> {
    let create = |folder: &Path| fs::create_dir(folder).and_then(|()| fs::set_permissions(folder, mode(RUN)));
    create(to).with_context(|| format!("cannot create {}", to.display()))?;
    walk(from, &mut |entry, is_folder| {
        let path = entry.path();
        let target = to.join(path.strip_prefix(from)?);
        let made = if is_folder { create(&target) } else { file(&path, &target) };
        made.with_context(|| format!("cannot create {}", target.display()))
    })
}

/// Makes a folder and all that is in it readable for everybody, whatever the umask of who built it.
pub fn open(folder: &Path) -> Result<()> {
    set_mode(folder, RUN)?;
    walk(folder, &mut |entry, is_folder| set_mode(&entry.path(), if is_folder { RUN } else { READ }))
}

/// Sets who may do what with a file or folder.
pub fn set_mode(path: &Path, bits: u32) -> Result<()> {
    fs::set_permissions(path, mode(bits)).with_context(|| format!("cannot set the mode of {}", path.display()))
}

fn mode(bits: u32) -> Permissions {
    Permissions::from_mode(bits)
}

/// What a folder weighs, for people.
pub fn weight(folder: &Path) -> Result<String> {
    let (mut bytes, mut files) = (0, 0_u32);
    walk(folder, &mut |entry, is_folder| {
        if !is_folder {
            bytes += entry.metadata()?.len();
            files += 1;
        }
        Ok(())
    })?;
    let unit = if files == 1 { "file" } else { "files" };
    Ok(format!("{} in {files} {unit}", indicatif::HumanBytes(bytes)))
}
