//! The errors of the test bed: each names the part, the path, and what to do next.

use std::path::PathBuf;
use std::time::Duration;

/// Why the test bed could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No folder to keep built programs in is known.
    #[error("no folder for built programs is known: set EPIPHYTE_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    /// The Go tool could not be run.
    #[error("cannot run `go` in {}: {source}; install Go and put it into PATH", module.display())]
    Go {
        /// The module that should have been built.
        module: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A Go program does not build.
    #[error("`go {command}` in {} failed with {status}:\n{output}", module.display())]
    GoBuild {
        /// The module that should have been built.
        module: PathBuf,
        /// The arguments of the Go tool.
        command: String,
        /// How the Go tool ended.
        status: String,
        /// The last lines of what it said.
        output: String,
    },
    /// A program of the system could not be run or failed.
    #[error("`{command}` {problem}")]
    Program {
        /// The program and its arguments.
        command: String,
        /// How it ended, and what it said.
        problem: String,
    },
    /// The packages that are named are not those of this system.
    #[error("this is not Debian 12 ({suite}), whose packages are used")]
    NotDebian {
        /// The suite of the packages.
        suite: &'static str,
    },
    /// There is no node that runs pods.
    #[error("no node can be had: {why}")]
    NoNode {
        /// What it takes.
        why: String,
    },
    /// The supervisor could not be started, or is gone.
    #[error("the supervisor of the processes {problem}; nothing that it started is left running: start anew")]
    Supervisor {
        /// What is wrong with it.
        problem: String,
    },
    /// A component could not be started or ended too early.
    #[error("{component} {problem}; the end of its log {}:\n{log}", path.display())]
    Component {
        /// The program's name.
        component: &'static str,
        /// What happened.
        problem: String,
        /// Its log, which goes with the control plane.
        path: PathBuf,
        /// The last lines of its log.
        log: String,
    },
    /// Something awaited did not come about in time.
    #[error("{what} did not come about within {within:?}; last answer: {last}")]
    Timeout {
        /// What was awaited.
        what: String,
        /// How long.
        within: Duration,
        /// The answer of the last try.
        last: String,
    },
    /// No port could be reserved.
    #[error("cannot reserve a port on 127.0.0.1: {0}")]
    Port(#[source] std::io::Error),
    /// No receiver of telemetry could be started.
    #[error("cannot start a receiver of telemetry: {0}")]
    Receiver(#[source] std::io::Error),
    /// A certificate could not be made.
    #[error("cannot make the certificate of {subject}: {source}")]
    Certificate {
        /// Whose certificate.
        subject: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// A client configuration is unusable.
    #[error("cannot use the kubeconfig of {user}: {problem}")]
    Kubeconfig {
        /// Whose kubeconfig.
        user: String,
        /// What is wrong.
        problem: String,
    },
    /// The API server declined a request of the test bed itself.
    #[error("the API server declined to {action}: {source}")]
    Api {
        /// What was tried, as a verb.
        action: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// A line of the audit log is not what it should be.
    #[error("cannot read a line of the audit log {}: {problem}", path.display())]
    Audit {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A task of the test bed was cut off, as when its runtime shuts down.
    #[error("the runtime ended while the test bed was at work")]
    CutOff,
}

impl Error {
    /// Makes an [`Error::File`], in the shape that `map_err` wants.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Makes an [`Error::Api`], in the shape that `map_err` wants.
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source: Box::new(source) }
    }
}

/// The result of whatever the test bed does.
pub type Result<T, E = Error> = std::result::Result<T, E>;
