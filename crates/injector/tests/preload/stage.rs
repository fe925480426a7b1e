//! A folder with the library, agents that only say that they are there, and programs to start.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

/// What the node agent is supposed to have left.
const IDENTITY: &str = "service.name=till\nk8s.namespace.name=shop\nk8s.pod.name=till-0\n";

/// What the identity comes to.
pub const ATTRIBUTES: &str = "k8s.namespace.name=shop,k8s.pod.name=till-0";

/// The library as it is shipped, built once.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "epiphyte-injector", "--profile", "injector", "--target-dir"])
            .arg(&target)
            .status()
            .expect("run cargo");
        assert!(status.success(), "the library does not build");
        target.join("injector/libepiphyte_injector.so")
    })
}

/// Says that a part of a test is left out. Nothing is left out silently, so this goes past the capture of tests that pass.
pub fn skip(what: &str, reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    writeln!(std::io::stderr(), "skipped: {name}: {what}: {reason}").expect("say so");
}

/// Whether a program is there to be started.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    if !found {
        skip(program, "it is not on the PATH");
    }
    found
}

/// A folder that goes when dropped.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A stage with everything in place.
    pub fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("make a folder") };
        // Other users start programs from here too.
        fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).expect("open the folder");
        for folder in ["injector", "java", "node", "python", "bin"] {
            fs::create_dir(stage.path(folder)).expect("make a folder");
        }
        fs::copy(library(), stage.path("injector/injector.so")).expect("copy the library");
        stage.write("java/agent.jar", "");
        stage.write("node/register.js", "console.log('agent loaded');");
        stage.write("python/sitecustomize.py", "print('agent loaded')");
        stage.write("identity", IDENTITY);
        stage
    }

    /// A path on the stage.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same, as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write a file");
    }

    /// Compiles one of the programs. `None`, and said so, where there is no such compiler.
    pub fn compile(&self, compiler: &str, flags: &[&str], source: &str, name: &str) -> Option<PathBuf> {
        if !has(compiler) {
            return None;
        }
        let program = self.path("bin").join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preload/programs").join(source);
        let made = Command::new(compiler).args(flags).arg(source).arg("-o").arg(&program).output().expect("compile");
        assert!(made.status.success(), "{compiler} {flags:?}: {}", String::from_utf8_lossy(&made.stderr));
        Some(program)
    }

    /// A program to start with the library, and with nothing else in its environment but where to find it and programs.
    pub fn start(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.start_without(program);
        command.env("LD_PRELOAD", self.path("injector/injector.so"));
        command
    }

    /// The same without the library.
    pub fn start_without(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("FIRST", "old").env("EPIPHYTE_IDENTITY", self.path("identity"));
        command
    }
}

/// Standard output of a program that has to end with this code and say nothing on standard error.
pub fn said(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("start a program");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", errors(&output));
    assert_eq!(errors(&output), "", "{command:?}");
    String::from_utf8(output.stdout).expect("text")
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
