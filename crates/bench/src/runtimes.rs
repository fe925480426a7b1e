//! The runtimes of this machine that injector and node agent serve, and how each is kept idle.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use epiphyte_api::Language;

/// A runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Java,
    Node,
    Python,
}

impl Runtime {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Java, Self::Node, Self::Python];

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }

    /// Its language.
    pub(crate) const fn language(self) -> Language {
        match self {
            Self::Java => Language::Java,
            Self::Node => Language::JavaScript,
            Self::Python => Language::Python,
        }
    }

    /// The file that runs where its name is called, past links and wrapping scripts. `None`, and said so, where it is not on
    /// the `PATH`.
    pub(crate) fn program(self) -> Result<Option<PathBuf>> {
        let found = match self {
            Self::Java => on_path("java"),
            Self::Node => on_path("node"),
            Self::Python => on_path("python3").map(|_| python()).transpose()?,
        };
        found.map(|path| path.canonicalize().with_context(|| path.display().to_string())).transpose()
    }

    /// Arguments with which it waits for the end of its standard input.
    pub(crate) const fn idle(self) -> &'static [&'static str] {
        match self {
            Self::Java => {
                &["-Xmx16m", "-XX:+UseSerialGC", "-m", "java.base/sun.security.tools.keytool.Main", "-printcert"]
            }
            Self::Node => &["-e", "process.stdin.resume()"],
            Self::Python => &["-c", "import sys; sys.stdin.read()"],
        }
    }
}

/// A program of the `PATH`; says that something is left out where it is not there.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        crate::say(&format!("left out: {name} is not on the PATH"));
    }
    found
}

fn python() -> Result<PathBuf> {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()?;
    ensure!(asked.status.success(), "Python failed with {}", asked.status);
    Ok(PathBuf::from(String::from_utf8(asked.stdout)?.trim_end()))
}
