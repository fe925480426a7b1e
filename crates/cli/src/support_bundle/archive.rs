//! The archive: files in memory, and a .tar.gz that nobody else can read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tar::{Builder, Header};

use super::redact;

/// What the archive is to hold.
#[derive(Default)]
pub(super) struct Pile {
    files: Vec<(String, String)>,
    /// What could not be had, and why.
    missing: Vec<String>,
}

impl Pile {
    /// Adds a file. Whatever looks like a token goes out of it here, wherever the text comes from.
    pub(super) fn add(&mut self, path: impl Into<String>, text: impl AsRef<str>) {
        self.files.push((path.into(), redact::text(text.as_ref())));
    }

    /// Notes what could not be had.
    pub(super) fn missing(&mut self, why: impl Into<String>) {
        self.missing.push(redact::text(&why.into()));
    }

    /// Folders and files with their sizes, for people.
    pub(super) fn listing(&self) -> String {
        let mut folders: Vec<(&str, usize, usize)> = Vec::new();
        for (path, text) in &self.files {
            let top = path.split_once('/').map_or(path.as_str(), |(folder, _)| folder);
            match folders.iter_mut().find(|(name, ..)| *name == top) {
                Some((_, count, size)) => (*count, *size) = (*count + 1, *size + text.len()),
                None => folders.push((top, 1, text.len())),
            }
        }
        let line = |(name, count, size): &(&str, usize, usize)| {
            let size = size.div_ceil(1024);
            if self.files.iter().any(|(path, _)| path == name) {
                format!("  {name}: {size} KiB\n")
            } else {
                format!("  {name}/: {count} files, {size} KiB\n")
            }
        };
        let missing = match self.missing.len() {
            0 => String::new(),
            count => format!("  not-collected.txt: {count} things could not be had, and why\n"),
        };
        folders.iter().map(line).collect::<String>() + &missing
    }
}

/// Makes the file, for its owner alone. One that is there is not written over.
pub(super) fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).with_context(|| format!("cannot make {}", path.display()))
}

/// Writes everything under a folder.
pub(super) fn write(out: File, folder: &str, pile: &Pile, now: Timestamp) -> anyhow::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(out, Compression::default()));
    let mut add = |path: &str, text: &str| {
        let mut header = Header::new_gnu();
        header.set_size(text.len().try_into()?);
        header.set_mode(0o600);
        header.set_mtime(now.as_second().try_into()?);
        archive.append_data(&mut header, format!("{folder}/{path}"), text.as_bytes()).context(path.to_owned())
    };
    for (path, text) in &pile.files {
        add(path, text)?;
    }
    if !pile.missing.is_empty() {
        add("not-collected.txt", &(pile.missing.join("\n") + "\n"))?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_sums_up_folders_and_says_what_is_missing() {
        let mut pile = Pile::default();
        pile.add("doctor.txt", "well");
        pile.add("logs/a.log", "x".repeat(2000));
        pile.add("logs/b.log", "x");
        pile.missing("no right");
        let listing =
            "  doctor.txt: 1 KiB\n  logs/: 2 files, 2 KiB\n  not-collected.txt: 1 things could not be had, and why\n";
        assert_eq!(pile.listing(), listing);
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar.gz");
        create(&path).expect("it is made");
        assert!(create(&path).is_err());
    }
}
