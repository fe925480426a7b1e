//! Small images for the node, written without a tool.

use std::fs::File;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

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
        let digest: String = Sha256::digest(&layer).iter().map(|byte| format!("{byte:02x}")).collect();
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        });
        let manifest = json!([{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]);
        let (config, manifest) = (config.to_string(), manifest.to_string());
        let contents: [(&str, &[u8]); 3] =
            [("config.json", config.as_bytes()), ("layer.tar", &layer), ("manifest.json", manifest.as_bytes())];
        let mut archive = tar::Builder::new(File::create(path)?);
        for (name, content) in contents {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content)?;
        }
        archive.finish()
    };
    write().map_err(Error::file("write", path))
}
