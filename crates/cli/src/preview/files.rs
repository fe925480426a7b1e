//! The files that `-f` names.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Names of files that are read in a directory end in one of these.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A file and what is in it, or why that cannot be read.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content: anyhow::Result<Vec<u8>>,
}

/// Reads what the arguments name, in their order: a file, a directory with all below it, or `-` for standard input.
pub(crate) fn read(arguments: &[PathBuf]) -> Vec<File> {
    arguments.iter().flat_map(|argument| read_one(argument)).collect()
}

fn read_one(argument: &Path) -> Vec<File> {
    if argument == Path::new("-") {
        let mut content = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut content);
        return vec![File { name: "stdin".to_owned(), content: read.map(|_| content).map_err(Into::into) }];
    }
    if !argument.is_dir() {
        return vec![read_file(argument)];
    }
    let mut paths = Vec::new();
    let mut files = Vec::new();
    if let Err(error) = walk(argument, &mut paths) {
        files.push(File { name: argument.display().to_string(), content: Err(error.into()) });
    }
    paths.sort();
    files.extend(paths.iter().map(|path| read_file(path)));
    files
}

fn read_file(path: &Path) -> File {
    File { name: path.display().to_string(), content: std::fs::read(path).map_err(Into::into) }
}

/// Collects the files below a directory. Linked files count, linked directories do not: they may lead in a circle.
fn walk(directory: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let is_manifest = || path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        if entry.file_type()?.is_dir() {
            walk(&path, paths)?;
        } else if is_manifest() && path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}
