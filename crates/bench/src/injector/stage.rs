//! A folder with the library and what a container that asks for a device has besides, and programs to start there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use epiphyte_api::names::LD_PRELOAD;
use tempfile::TempDir;

/// What the node agent leaves in a container.
const IDENTITY: &str = "service.name=till\nk8s.namespace.name=shop\nk8s.pod.name=till-5d9c7bfd4-x2x4z\n\
    k8s.container.name=app\nk8s.deployment.name=till\nk8s.node.name=node-1\n";

/// Variables that a container has besides ours: those of its manifest, and of the Services around it.
const VARIABLES: usize = 40;

/// A folder that goes when dropped.
pub(super) struct Stage {
    folder: TempDir,
}

/// A program to start.
pub(super) struct Subject {
    /// For people.
    pub(super) title: &'static str,
    pub(super) program: PathBuf,
    /// Whether the library serves a program of this name.
    pub(super) is_served: bool,
    pub(super) end: End,
}

/// How a start ends.
pub(super) enum End {
    /// The program ends by itself, at once.
    Own,
    /// This preload ends it where its own code would begin.
    Before(PathBuf),
}

impl End {
    /// The start that ends like this, for people.
    pub(super) const fn start(&self) -> &'static str {
        match self {
            Self::Own => "a start",
            Self::Before(_) => "a start up to its own code",
        }
    }
}

impl Stage {
    /// Puts everything in place. The agents are empty files: nothing loads them.
    pub(super) fn new(library: &Path) -> Result<Self> {
        let stage = Self { folder: tempfile::tempdir()? };
        for file in ["java/agent.jar", "node/register.js", "python/sitecustomize.py", "identity"] {
            let path = stage.path(file);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, if file == "identity" { IDENTITY } else { "" })?;
        }
        stage.copy(library, "injector/injector.so")?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of a file, under a name on the stage.
    pub(super) fn copy(&self, file: &Path, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::copy(file, &path).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(path)
    }

    /// A preload of ours that needs nothing, from its source.
    pub(super) fn compile(&self, compiler: &Path, source: &str, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let mut command = Command::new(compiler);
        command.args(["-O2", "-shared", "-fPIC", "-nostdlib", "-o"]).arg(&path).arg(source);
        let made = command.output()?;
        ensure!(made.status.success(), "cannot compile {source}: {}", String::from_utf8_lossy(&made.stderr));
        Ok(path)
    }

    /// Starts a program without the library.
    pub(super) fn without(&self, subject: &Subject) -> Command {
        self.command(subject, &[])
    }

    /// Starts a program with the library.
    pub(super) fn with(&self, subject: &Subject) -> Command {
        self.command(subject, &[self.path("injector/injector.so")])
    }

    fn command(&self, subject: &Subject, preloads: &[PathBuf]) -> Command {
        let mut command = Command::new(&subject.program);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("EPIPHYTE_IDENTITY", self.path("identity")).env("EPIPHYTE_ENDPOINT", "http://collector.test:4318");
        for number in 0..VARIABLES {
            command.env(format!("BACKEND_{number:02}_SERVICE_HOST"), "10.96.104.17");
        }
        // The last one runs first.
        let end = match &subject.end {
            End::Own => None,
            End::Before(preload) => Some(preload),
        };
        let preloads: Vec<_> = end.into_iter().chain(preloads).map(|path| path.display().to_string()).collect();
        if !preloads.is_empty() {
            command.env(LD_PRELOAD, preloads.join(":"));
        }
        command
    }
}
