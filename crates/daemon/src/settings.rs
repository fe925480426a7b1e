//! Settings: a typed YAML file. Every key has a default, and an unknown one is an error.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what settings look like.
    #[error("the settings file {} is not valid: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        message: String,
    },
}

/// Reads settings from a file.
///
/// # Errors
/// The file cannot be read, is no YAML, has an unknown key or a value of another type.
pub fn from_file<T: DeserializeOwned + Default>(path: &Path) -> Result<T, SettingsError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    from_yaml(&text).map_err(|message| SettingsError::Invalid { path: path.to_owned(), message })
}

/// Reads settings from YAML; an empty document is the defaults.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn from_yaml<T: DeserializeOwned + Default>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str::<Option<T>>(text).map(Option::unwrap_or_default).map_err(|error| error.to_string())
}
