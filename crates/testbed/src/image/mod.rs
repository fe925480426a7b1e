//! Images for the node: the repository's own, and small ones written without a tool.

mod version;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest as _, Sha256};

pub use version::with_file;

use crate::{Error, Result};

/// Names the folder with the archives of the repository's images, `<name>.tar`; set by what builds them.
pub const FOLDER: &str = "EPIPHYTE_IMAGES";

/// The folder of the repository's images, where they were built.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Writes an archive, as `docker save` does, of an image that has nothing but these files in it: each is a file of this
/// machine and its path in the image. Its containers run as a user without rights.
///
/// # Errors
/// When a file cannot be read or the archive not be written.
pub fn archive(path: &Path, image: &str, files: &[(&Path, &str)], entrypoint: &[&str]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut layer = tar::Builder::new(Vec::new());
        for (file, inside) in files {
            layer.append_path_with_name(file, inside.trim_start_matches('/'))?;
        }
        let layer = layer.into_inner()?;
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let manifest = json!([{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]);
        let (config, manifest) = (config.to_string(), manifest.to_string());
        let contents: [(&str, &[u8]); 3] =
            [("config.json", config.as_bytes()), ("layer.tar", &layer), ("manifest.json", manifest.as_bytes())];
        let mut archive = tar::Builder::new(File::create(path)?);
        for (name, content) in contents {
            append(&mut archive, name, content)?;
        }
        archive.finish()
    };
    write().map_err(Error::file("write", path))
}

/// This machine's architecture, as images and nodes call it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content)
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
