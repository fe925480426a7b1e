//! `musl-gcc` for the tests: the machine's, else Debian's, unpacked without being installed.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use epiphyte_testbed::{cache, debian};

use crate::command;

/// The packages that it takes: the library, and what programs are linked with.
pub const PACKAGES: [&str; 2] = ["musl", "musl-dev"];

/// A `PATH` on which there is a `musl-gcc`. What it compiles runs here with the library from where it was unpacked.
///
/// # Errors
/// The packages cannot be had.
pub fn path() -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if command::has("musl-gcc") {
        return Ok(path);
    }
    let root = debian::tool("musl", &PACKAGES, &mut |_| ())?;
    let folder = wrapper(&root)?;
    Ok(std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)))?)
}

/// A folder with a `musl-gcc` that looks for everything below a root.
fn wrapper(root: &Path) -> Result<PathBuf> {
    let specs = debian::libraries(root).with_file_name(format!("{}-linux-musl", std::env::consts::ARCH));
    let specs = specs.join("musl-gcc.specs");
    let specs = fs::read_to_string(&specs).with_context(|| format!("cannot read {}", specs.display()))?;
    let below = |folder: &str| root.join(folder).display().to_string();
    let specs =
        specs.replace(" /usr/", &format!(" {}/", below("usr"))).replace("-L/usr/", &format!("-L{}/", below("usr")));
    let specs = specs.replace(" /lib/", &format!(" {}/", below("lib")));
    let mut key = cache::Key::default();
    key.add(specs.as_bytes());
    let (cache, key) = (cache::folder()?.join("debian"), key.finish());
    let entry = cache.join(format!("musl-gcc-{key}"));
    cache::once(&cache, "musl-gcc", &key, |folder| {
        let script = format!("#!/bin/sh\nexec cc \"$@\" -specs \"{}/specs\"\n", entry.display());
        fs::write(folder.join("specs"), specs)?;
        fs::write(folder.join("musl-gcc"), script)?;
        anyhow::Ok(fs::set_permissions(folder.join("musl-gcc"), fs::Permissions::from_mode(0o755))?)
    })
}
