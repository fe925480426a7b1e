//! Copies a folder with all that is in it, for everybody to read.

use std::fs::{self, DirBuilder, DirEntry, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What could not be done. The reason of the system is part of the text.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {source}", path.display())]
pub struct Failure {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Puts what is in one folder into another, which has to be there. What a run before this one left there under the same
/// names goes first: it may be half of it, or of another version, and nobody reads it before this one ends.
///
/// The process's umask takes its part of the modes: it is up to the caller.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in entries(from)? {
        let old = to.join(entry?.file_name());
        remove(&old).map_err(failure("remove", &old))?;
    }
    fill(from, to)
}

fn fill(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in entries(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(failure("read", &from))?.is_dir() {
            DirBuilder::new().mode(0o755).create(&to).map_err(failure("create", &to))?;
            fill(&from, &to)?;
        } else {
            copy_file(&from, &to)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<impl Iterator<Item = Result<DirEntry, Failure>>, Failure> {
    let read = fs::read_dir(folder).map_err(failure("read", folder))?;
    Ok(read.map(move |entry| entry.map_err(failure("read", folder))))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = File::open(from).map_err(failure("read", from))?;
    let mut target =
        File::options().write(true).create_new(true).mode(0o644).open(to).map_err(failure("create", to))?;
    // Within the kernel: this program never sees the bytes.
    io::copy(&mut source, &mut target).map_err(failure("fill", to)).map(drop)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn failure(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure { act, path: path.to_owned(), source }
}
