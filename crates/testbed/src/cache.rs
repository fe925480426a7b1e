//! The folder that outlives tests: what is built once is kept here, by its content.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Error, Result};

/// The cache of this user: `EPIPHYTE_CACHE`, else where caches are kept. Outside the build folder, so that a fresh clone
/// finds what another one built. It need not exist yet.
///
/// # Errors
/// When no variable says where that is.
pub fn folder() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let under = |base: OsString, rest: &str| PathBuf::from(base).join(rest);
    variable("EPIPHYTE_CACHE")
        .map(PathBuf::from)
        .or_else(|| variable("XDG_CACHE_HOME").map(|base| under(base, "epiphyte")))
        .or_else(|| variable("HOME").map(|base| under(base, ".cache/epiphyte")))
        .ok_or(Error::NoCacheFolder)
}
