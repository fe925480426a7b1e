//! Starts programs, and compiles them where a compiler is needed.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use epiphyte_detect::{Runtime, Scanner};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// A program that runs in a process group of its own; it ends, with its children, when this is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self { child: command.spawn().unwrap() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process and its children.
    pub fn family(&self) -> Vec<u32> {
        let pid = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().map(|pid| pid.parse().unwrap())).collect()
    }

    /// Looks at the process and its children until they are as expected, for they have to start first.
    pub fn look_until(&self, expected: impl Fn(&Runtime) -> bool) -> Runtime {
        let (mut scanner, deadline) = (Scanner::new("/proc"), Instant::now() + Duration::from_secs(30));
        loop {
            let runtime = scanner.look(&self.family());
            if expected(&runtime) {
                return runtime;
            }
            assert!(Instant::now() < deadline, "still {runtime:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process_group(pid, Signal::KILL).unwrap_or_default();
        }
        self.child.wait().unwrap();
    }
}

/// What a program writes, on both outputs; `None`, and a line that says so, where it is not installed.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned())
        }
        Ok(output) => skipped(&format!("`{program} {}` says {}", arguments.join(" "), output.status)),
        Err(error) if error.kind() == ErrorKind::NotFound => skipped(&format!("{program} is not installed")),
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Says why a test cannot be run here. Written past the test harness, which would keep it for itself.
pub fn skipped<T>(reason: &str) -> Option<T> {
    use std::io::Write;
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {name}: {reason}").unwrap();
    None
}

/// A program compiled on the spot.
pub struct Compiled {
    folder: TempDir,
}

impl Compiled {
    /// Compiles a source; `None`, and a line that says so, where the compiler is missing or lacks what it takes.
    pub fn new(compiler: &str, arguments: &[&str], source: (&str, &str)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(source.0), source.1).unwrap();
        let mut command = Command::new(compiler);
        command.args(arguments).args(["-o", "program", source.0]).current_dir(folder.path());
        match command.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").output() {
            Ok(output) if output.status.success() => Some(Self { folder }),
            Ok(output) => skipped(&format!("{compiler} fails: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) if error.kind() == ErrorKind::NotFound => skipped(&format!("{compiler} is not installed")),
            Err(error) => panic!("{compiler}: {error}"),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    pub fn start(&self) -> Running {
        Running::start(&mut Command::new(self.path()))
    }
}

/// Whether this machine's own programs use musl.
pub fn host_has_musl() -> bool {
    Path::new("/lib/ld-musl-x86_64.so.1").exists() || Path::new("/lib/ld-musl-aarch64.so.1").exists()
}
