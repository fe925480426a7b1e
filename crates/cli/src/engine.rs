//! The engine that the operator decides with, set up for people's commands.

use std::path::{Path, PathBuf};

use clap::Args;
use epiphyte_operator::settings::Settings;

/// What the operator is run with; to hear what it would say, say the same.
#[derive(Args, Clone)]
pub(crate) struct EngineArguments {
    /// The system namespace: collectors are there, and it is never instrumented. Where the cluster is asked, that of the
    /// operator's Deployment goes before.
    #[arg(long, value_name = "NAMESPACE", env = "EPIPHYTE_NAMESPACE", default_value = "odigos-system")]
    pub(crate) system_namespace: String,
    /// The operator's settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl EngineArguments {
    /// Whether a settings file was given.
    pub(crate) fn has_settings(&self) -> bool {
        self.config.is_some()
    }

    /// The settings of the file, or the defaults.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        settings(self.config.as_deref())
    }
}

/// The settings of a file, or the defaults.
pub(crate) fn settings(file: Option<&Path>) -> anyhow::Result<Settings> {
    Ok(file.map_or_else(|| Ok(Settings::default()), Settings::from_file)?)
}
