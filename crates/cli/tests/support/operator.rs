//! The operator as a process.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use epiphyte_testbed::ControlPlane;

use super::SYSTEM;

/// The user that the operator is for the API server, so that the audit log tells its writes from all others.
pub const OPERATOR: &str = "epiphyte-operator";

/// How an operator is started.
#[derive(Clone, Debug, Default)]
pub struct OperatorOptions {
    /// Contents of the settings file.
    pub settings: String,
    /// The user to be for the API server; [`OPERATOR`] if empty.
    pub user: String,
    /// Groups of the user; `system:masters` if empty.
    pub groups: Vec<String>,
    /// Address of the webhook; a free port if `None`.
    pub webhook: Option<String>,
}

/// A running operator. Killed when dropped.
pub struct Operator {
    child: Child,
    pub admin: String,
    pub webhook: String,
    pub settings: PathBuf,
    folder: tempfile::TempDir,
}

impl Operator {
    pub fn start(plane: &ControlPlane, options: &OperatorOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the operator");
        let settings = folder.path().join("settings.yaml");
        std::fs::write(&settings, &options.settings).expect("settings are written");
        let user = if options.user.is_empty() { OPERATOR } else { &options.user };
        let groups: Vec<&str> = options.groups.iter().map(String::as_str).collect();
        let groups = if groups.is_empty() { &["system:masters"][..] } else { &groups };
        let kubeconfig = plane.user(user, groups).expect("a kubeconfig for the operator");
        let (admin, webhook) = (free_address(), options.webhook.clone().unwrap_or_else(free_address));
        let log = File::create(folder.path().join("log")).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
            .args(["operator", "--namespace", SYSTEM, "--admin-listen", &admin, "--webhook-listen", &webhook])
            .arg(format!("--webhook-url=https://{webhook}"))
            .arg("--config")
            .arg(&settings)
            .args(["--log", "info,epiphyte_operator=debug"])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the operator starts");
        Self { child, admin, webhook, settings, folder }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the operator has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Body of an answer of the admin address, and whether it was a success.
    pub fn admin(&self, path: &str) -> Option<(bool, String)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&self.admin).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.starts_with("HTTP/1.1 200"), body.to_owned()))
    }

    /// Value of a metric, summed over its labels that contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.admin("/metrics").unwrap_or_default();
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    pub fn is_ready(&self) -> bool {
        self.admin("/readyz").is_some_and(|(ready, _)| ready)
    }

    pub fn leads(&self) -> bool {
        self.metric("epiphyte_leader", &[]) == 1.0
    }

    /// Ends the operator as a node failure would.
    pub fn kill(mut self) {
        self.child.kill().expect("the operator is killed");
        self.child.wait().expect("the operator is gone");
    }

    /// Asks the operator to stop, and waits until it has; true if it said that all went well.
    pub fn stop(mut self) -> bool {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill runs");
        assert!(told.success());
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().expect("the operator can be waited for") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the operator does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the operator's log ---\n{}", self.log());
        }
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").to_string()
}
