//! Whether the Collector takes a configuration, by its own word.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::input::redact;
use crate::memory::Share;

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

/// Asks the Collector's `validate`.
pub(crate) async fn validate(program: &Path, configuration: &Path, memory: Share) -> Result<(), Invalid> {
    let asked = Command::new(program)
        .arg("validate")
        .arg("--config")
        .arg(format!("file:{}", configuration.display()))
        .env("GOMEMLIMIT", memory.for_go())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = timeout(LIMIT, asked).await.map_err(|_| Invalid::NoAnswer)?.map_err(Invalid::NotRun)?;
    if answer.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let said = said.trim();
    Err(Invalid::Refused(redact(said.get(..said.floor_char_boundary(SAID)).unwrap_or(said))))
}
