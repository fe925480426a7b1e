//! The container images of this repository, where somebody has built them: tests do not build images themselves.

use std::path::PathBuf;

/// Names the folder of the archives; `cargo xtask test` and `cargo xtask demo` set it.
pub const VARIABLE: &str = "EPIPHYTE_IMAGES";

/// The OCI archive of an image by its plain name, such as `operator` for `epiphyte/operator:dev`.
///
/// # Errors
/// Why there is none, to be told by the test that skips itself for it.
pub fn archive(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
    let folder =
        folder.ok_or_else(|| format!("{VARIABLE} is not set: `cargo xtask test` builds the images and sets it"))?;
    let archive = PathBuf::from(folder).join(format!("{name}.tar"));
    if archive.is_file() { Ok(archive) } else { Err(format!("there is no image at {}", archive.display())) }
}
