//! Another version of an image that is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Value, json};

use super::{append, digest};
use crate::{Error, Result};

/// Writes another version of the image of an OCI archive: the same, with one small file more, under another name. Shapes are
/// those of OCI's image format 1.0.
///
/// # Errors
/// When the archive is not one, or cannot be read or written.
pub fn with_file(archive: &Path, path: &Path, image: &str, inside: &str, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut files = Files::read(archive)?;
        let mut index = files.json("index.json")?;
        let mut manifest = files.described(at(&mut index, "/manifests/0")?)?;
        let mut config = files.described(at(&mut manifest, "/config")?)?;

        let mut layer = tar::Builder::new(Vec::new());
        append(&mut layer, inside.trim_start_matches('/'), content)?;
        let layer = layer.into_inner()?;
        push(at(&mut config, "/rootfs/diff_ids")?, json!(digest(&layer)))?;
        let mut described = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar"});
        files.add(layer, &mut described);
        push(at(&mut manifest, "/layers")?, described)?;
        files.add(config.to_string().into_bytes(), at(&mut manifest, "/config")?);
        let entry = at(&mut index, "/manifests/0")?;
        files.add(manifest.to_string().into_bytes(), entry);
        merge(entry, "annotations", json!({"org.opencontainers.image.ref.name": image}));
        files.0.insert("index.json".to_owned(), index.to_string().into_bytes());
        files.write(path)
    };
    write().map_err(Error::file("write another version of an image to", path))
}

/// The files of an archive by their paths.
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn read(archive: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(File::open(archive)?).entries()? {
            let mut entry = entry?;
            if entry.header().entry_type().is_file() {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                files.insert(entry.path()?.display().to_string(), content);
            }
        }
        Ok(Self(files))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut archive = tar::Builder::new(File::create(path)?);
        self.0.iter().try_for_each(|(name, content)| append(&mut archive, name, content))?;
        archive.finish()
    }

    fn json(&self, name: &str) -> io::Result<Value> {
        let content = self.0.get(name).ok_or_else(|| io::Error::other(format!("there is no {name}")))?;
        Ok(serde_json::from_slice(content)?)
    }

    /// The JSON that a descriptor leads to.
    fn described(&self, descriptor: &mut Value) -> io::Result<Value> {
        let digest = at(descriptor, "/digest")?.as_str().unwrap_or_default();
        self.json(&blob(digest))
    }

    /// Adds a blob, and lets a descriptor lead to it.
    fn add(&mut self, content: Vec<u8>, descriptor: &mut Value) {
        let digest = digest(&content);
        merge(descriptor, "size", json!(content.len()));
        merge(descriptor, "digest", json!(digest));
        self.0.insert(blob(&digest), content);
    }
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn at<'v>(value: &'v mut Value, pointer: &str) -> io::Result<&'v mut Value> {
    value.pointer_mut(pointer).ok_or_else(|| io::Error::other(format!("the image has no {pointer}")))
}

fn push(list: &mut Value, item: Value) -> io::Result<()> {
    list.as_array_mut().ok_or_else(|| io::Error::other("the image has no list of layers"))?.push(item);
    Ok(())
}

/// Sets an entry of an object.
fn merge(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}
