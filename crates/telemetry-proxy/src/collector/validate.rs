//! Whether the Collector takes a configuration, by its own word.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::Collector;
use crate::input::redact;

/// How long the Collector may think about it.
const LIMIT: Duration = Duration::from_secs(60);

/// How much of what it says is told.
const SAID: usize = 2000;

/// Why a configuration is not to be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    /// The Collector could not be asked.
    #[error("cannot run the Collector's check")]
    NotRun(#[source] std::io::Error),
    /// It gave no answer in time.
    #[error("the Collector's check did not end within {} s", LIMIT.as_secs())]
    NoAnswer,
    /// It says no.
    #[error("the Collector does not take it: {0}")]
    Refused(String),
}

impl Collector {
    /// Asks the Collector's `validate` what it makes of a configuration in the place of its own.
    pub(crate) async fn check(&self, configuration: &Path) -> Result<(), Invalid> {
        let mut command = Command::new(&self.program);
        command.arg("validate").args(self.arguments(configuration)).env("GOMEMLIMIT", self.memory.for_go());
        let asked = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let answer = timeout(LIMIT, asked).await.map_err(|_| Invalid::NoAnswer)?.map_err(Invalid::NotRun)?;
        if answer.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer.stderr);
        let said = said.trim();
        Err(Invalid::Refused(redact(said.get(..said.floor_char_boundary(SAID)).unwrap_or(said))))
    }
}
