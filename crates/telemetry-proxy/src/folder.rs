//! Folders for the Collectors: for their owner alone.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes a folder that nobody else may look into, with all above it; one that is there is closed to others.
pub(crate) fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match fs::set_permissions(folder, fs::Permissions::from_mode(0o700)) {
        // The folder of a volume belongs to somebody else, who has seen to it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Removes the files of a folder whose names are not to be kept.
pub(crate) fn keep_only(folder: &Path, is_kept: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_kept) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use epiphyte_daemon::file::replace;

    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inner, mode) = (folder.path().join("a/b"), |path: &Path| {
            fs::metadata(path).expect("it is there").permissions().mode() & 0o777
        });
        private(&inner).expect("made");
        private(&inner).expect("there already");
        replace(&inner.join("one"), b"1").expect("written");
        replace(&inner.join("two"), b"2").expect("written");
        assert_eq!((mode(&inner), mode(&inner.join("one"))), (0o700, 0o600));
        keep_only(&inner, |name| name == "two").expect("removed");
        let left: Vec<_> =
            fs::read_dir(&inner).expect("read").filter_map(Result::ok).map(|it| it.file_name()).collect();
        assert_eq!(left, ["two"]);
    }
}
