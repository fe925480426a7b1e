//! Programs with the preload library, as they are in a container, but on this machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use epiphyte_testbed::otlp::{Receiver, Span, SpanKind};
use tempfile::TempDir;

/// How long spans may take to come.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the node agent is supposed to have left.
const IDENTITY: &str = "service.name=till\nk8s.namespace.name=shop\nk8s.pod.name=till-0\nk8s.container.name=app\n";

/// Says that a part of a test is left out, past the capture of tests that pass.
pub fn skip(what: &str, reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    writeln!(std::io::stderr(), "skipped: {name}: {what}: {reason}").expect("say so");
}

/// Whether all of these programs are there to be started.
pub fn has(programs: &[&str]) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &&&str| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    let missing = programs.iter().find(|program| !is_there(program));
    if let Some(missing) = missing {
        skip(missing, "it is not on the PATH");
    }
    missing.is_none()
}

/// The folder with the agents, built or found once. `None`, and said so, where this machine cannot build it.
pub fn agents() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if !has(&["java", "python3", "node", "npm", "go"]) {
            return None;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("agents").output().expect("start xtask");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "the agents cannot be built:\n{said}");
        Some(PathBuf::from(said.lines().last().expect("a line with the folder")))
    };
    FOLDER.get_or_init(build).as_deref()
}

pub fn programs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/programs"))
}

/// A place with an identity, and a receiver beside it.
pub struct Stage {
    folder: TempDir,
    agents: &'static Path,
    pub receiver: Receiver,
}

impl Stage {
    /// `None` where there are no agents.
    pub fn new() -> Option<Self> {
        let stage = Self {
            agents: agents()?,
            folder: tempfile::tempdir().expect("make a folder"),
            receiver: Receiver::on_loopback().expect("a receiver"),
        };
        fs::write(stage.path("identity"), IDENTITY).expect("write the identity");
        Some(stage)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program to start with the library.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LD_PRELOAD", self.agents.join("injector/injector.so"));
        command.env("EPIPHYTE_IDENTITY", self.path("identity")).env("EPIPHYTE_ENDPOINT", self.receiver.url());
        command.env("EPIPHYTE_INJECTOR_LOG", "1").env("OTEL_BSP_SCHEDULE_DELAY", "100");
        command
    }

    /// Waits until the spans that came answer a question.
    pub fn wait<T>(&self, what: &str, found: impl Fn(&[Span]) -> Option<T>) -> T {
        self.receiver.wait(what, PATIENCE, found).expect("telemetry")
    }

    /// Starts a server, asks it for `/front`, and waits for the trace that comes of it: a server's span, below it a client's,
    /// and below that the span of the server that was called.
    pub fn traces(&self, language: &str, command: &mut Command) {
        let server = Server::start(command);
        assert_eq!(server.get("/front"), "front back");
        let trace = self.wait("trace of three spans", trace);
        for span in &trace {
            assert_eq!(span.trace, trace[0].trace);
            for (key, value) in [
                ("service.name", "till"),
                ("k8s.namespace.name", "shop"),
                ("k8s.pod.name", "till-0"),
                ("k8s.container.name", "app"),
                ("telemetry.sdk.language", language),
            ] {
                assert_eq!(span.resource.get(key).map(String::as_str), Some(value), "{key} of {span:?}");
            }
        }
    }
}

/// The called server's span and those above it, up to the first.
fn trace(spans: &[Span]) -> Option<Vec<Span>> {
    let above = |span: &Span| spans.iter().find(|above| above.id == span.parent);
    let path = |span: &Span| {
        let mut path = vec![span.clone()];
        while let Some(above) = above(&path[path.len() - 1]) {
            path.push(above.clone());
        }
        let kinds: Vec<_> = path.iter().map(|span| span.kind).collect();
        let [SpanKind::Server, between @ .., SpanKind::Server] = &*kinds else { return None };
        between.contains(&SpanKind::Client).then_some(path)
    };
    spans.iter().find_map(path)
}

/// A server that is killed when dropped.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a program whose first line is its port.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("start a server");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("read the port");
        let server = line.trim().parse();
        let Ok(port) = server else { panic!("{command:?} said {line:?} and ended with {:?}", child.wait()) };
        Self { child, port }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The body of an answer.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            return body.to_owned();
        }
        body.split("\r\n").skip(1).step_by(2).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
