//! Images for the node: the repository's own, and small ones written without a tool.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
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

/// Writes another version of an image of an OCI archive: the same, with one small file more, under another name.
///
/// # Errors
/// When the archive is not one, or cannot be read or written.
pub fn with_file(archive: &Path, path: &Path, image: &str, inside: &str, content: &[u8]) -> Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    let write = || -> std::io::Result<()> {
        append(&mut layer, inside.trim_start_matches('/'), content)?;
        let layer = layer.into_inner()?;
        let mut files = read(archive)?;
        let blob = |digest: &Value| format!("blobs/{}", digest.as_str().unwrap_or_default().replace(':', "/"));
        let mut index: Value = json_of(&files, "index.json")?;
        let mut manifest: Value = json_of(&files, &blob(&index["manifests"][0]["digest"]))?;
        let mut config: Value = json_of(&files, &blob(&manifest["config"]["digest"]))?;
        let mut add = |content: Vec<u8>| {
            let described = (json!(digest(&content)), json!(content.len()));
            files.insert(blob(&described.0), content);
            described
        };
        push(&mut config["rootfs"]["diff_ids"], json!(digest(&layer)))?;
        let (layer_digest, size) = add(layer);
        let described =
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": size});
        push(&mut manifest["layers"], described)?;
        (manifest["config"]["digest"], manifest["config"]["size"]) = add(config.to_string().into_bytes());
        let first = &mut index["manifests"][0];
        (first["digest"], first["size"]) = add(manifest.to_string().into_bytes());
        first["annotations"] = json!({"org.opencontainers.image.ref.name": image});
        files.insert("index.json".to_owned(), index.to_string().into_bytes());
        let mut archive = tar::Builder::new(File::create(path)?);
        files.iter().try_for_each(|(name, content)| append(&mut archive, name, content))?;
        archive.finish()
    };
    write().map_err(Error::file("write another version of an image to", path))
}

/// The files of an archive.
fn read(archive: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(File::open(archive)?).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(entry.path()?.display().to_string(), content);
        }
    }
    Ok(files)
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> std::io::Result<Value> {
    let content = files.get(name).ok_or_else(|| std::io::Error::other(format!("there is no {name}")))?;
    Ok(serde_json::from_slice(content)?)
}

fn push(list: &mut Value, item: Value) -> std::io::Result<()> {
    list.as_array_mut().ok_or_else(|| std::io::Error::other("this is no image"))?.push(item);
    Ok(())
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
