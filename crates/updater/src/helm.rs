//! Calls of the `helm` program.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long it may take for whatever is not an upgrade: a registry that never answers holds nobody up for ever.
const LIMIT: Duration = Duration::from_mins(5);

/// How long it may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(30);

/// A call of `helm` that came to nothing.
#[derive(Debug, Error)]
pub enum HelmError {
    /// There is no such program.
    #[error("cannot run {}: {source}; name Helm 3.14 or newer by --helm", program.display())]
    Missing {
        /// The program that was tried.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It said no.
    #[error("{said}")]
    Failed {
        /// What it said, in one line.
        said: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long.
    #[error("`helm {command}` did not end within {within:?}")]
    Silent {
        /// The command.
        command: String,
        /// How long it had.
        within: Duration,
    },
    /// It said something else than it should.
    #[error("cannot read what `helm {command}` printed: {problem}")]
    Unreadable {
        /// The command.
        command: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// The `helm` program, for one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Helm {
    program: PathBuf,
    namespace: String,
    /// Where it keeps what it fetches; gone with this run.
    folder: PathBuf,
    /// Asks it to stop.
    stop: CancellationToken,
    limit: Duration,
}

impl Helm {
    pub(crate) fn new(program: &Path, namespace: &str, folder: &Path, stop: CancellationToken) -> Self {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Self { program, namespace: namespace.to_owned(), folder, stop, limit: LIMIT }
    }

    /// The same, not to be stopped: what takes a change back must not be broken off.
    pub(crate) fn to_the_end(&self) -> Self {
        Self { stop: CancellationToken::new(), ..self.clone() }
    }

    /// The same with more time, for what takes its time.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self { limit: limit.saturating_add(LIMIT), ..self.clone() }
    }

    /// Where it keeps what it fetches.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs it and gives what it printed.
    pub(crate) async fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Result<String, HelmError> {
        let arguments: Vec<OsString> = arguments.into_iter().map(|it| it.as_ref().to_owned()).collect();
        let output = self.call(&arguments).await?;
        if !output.status.success() {
            return Err(HelmError::Failed { said: said(&output.stderr), status: output.status });
        }
        String::from_utf8(output.stdout)
            .map_err(|error| HelmError::Unreadable { command: shown(&arguments), problem: error.to_string() })
    }

    /// Runs it and reads the JSON that it prints.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T, HelmError> {
        let printed = self.run(arguments.iter().chain(&["--output", "json"])).await?;
        serde_json::from_str(&printed)
            // Serde's words tell a place and never a value's text but for a wrong enum.
            .map_err(|error| HelmError::Unreadable { command: arguments.join(" "), problem: error.to_string() })
    }

    async fn call(&self, arguments: &[OsString]) -> Result<Output, HelmError> {
        debug!(command = shown(arguments), "helm");
        let missing = |source| HelmError::Missing { program: self.program.clone(), source };
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--namespace").arg(&self.namespace);
        // Repositories of this run only; who may read a registry is the caller's configuration.
        command.env("HELM_REPOSITORY_CONFIG", self.folder.join("repositories.yaml"));
        command.env("HELM_REPOSITORY_CACHE", self.folder.join("repository"));
        command.env("HELM_CACHE_HOME", self.folder.join("cache"));
        command.env("KUBECACHEDIR", self.folder.join("discovery"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(missing)?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let ended = child.wait_with_output();
        tokio::pin!(ended);
        let silent = || HelmError::Silent { command: shown(arguments), within: self.limit };
        let is_told = tokio::select! {
            output = timeout(self.limit, &mut ended) => match output {
                Ok(output) => return output.map_err(missing),
                Err(_) => false,
            },
            () = self.stop.cancelled() => true,
        };
        // It then writes down that the upgrade failed, where it would leave one that is pending for good if it were killed.
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        // What is dropped is killed.
        let output = timeout(GRACE, ended).await.map_err(|_| silent())?.map_err(missing)?;
        if is_told { Ok(output) } else { Err(silent()) }
    }
}

/// A command for logs: the arguments are the program's own, no value of a release is among them.
fn shown(arguments: &[OsString]) -> String {
    arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What it complains of, in one line. Warnings come before it.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let from = text.rfind("\nError: ").map(|at| at + 1).or_else(|| text.starts_with("Error: ").then_some(0));
    let error = from.and_then(|from| text.get(from..)).unwrap_or(&text);
    let error = error.trim().trim_start_matches("Error: ");
    if error.is_empty() {
        return "it ended without a word".to_owned();
    }
    error.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_never_answers_is_ended_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("helm");
        std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let helm = Helm::new(&program, "n", folder.path(), CancellationToken::new());
        let helm = Helm { limit: Duration::from_millis(50), ..helm };
        let error = helm.run(["pull", "x"]).await.unwrap_err().to_string();
        assert_eq!(error, "`helm pull x` did not end within 50ms");

        helm.stop.cancel();
        let stopped = Helm { limit: LIMIT, ..helm }.run(["pull"]).await;
        assert!(matches!(stopped, Err(HelmError::Failed { .. })), "{stopped:?}");
    }

    #[test]
    fn what_helm_complains_of_is_its_error_without_the_warnings_before() {
        assert_eq!(said(b"WARNING: old\nError: UPGRADE FAILED: a\n- b\n"), "UPGRADE FAILED: a - b");
        assert_eq!(said(b"Error: x"), "x");
        assert_eq!(said(b"panic: y\n"), "panic: y");
        assert_eq!(said(b""), "it ended without a word");
    }
}
