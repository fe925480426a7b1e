//! The telemetry proxy as a process.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use epiphyte_testbed::programs;
use serde_json::{Value, json};

use crate::support::{Admin, free_address};
use crate::{token, until};

/// The Collector, built once for all tests.
static COLLECTOR: LazyLock<PathBuf> = LazyLock::new(|| programs::collector().expect("the Collector is built"));

/// How a proxy is started.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    /// Where tenants' telemetry goes.
    pub upstream: String,
    /// Where telemetry without a token goes, if it is taken at all; as `other`.
    pub tokenless: Option<String>,
    /// The API server; one that is away if `None`.
    pub kubeconfig: Option<PathBuf>,
    /// The size of the queues in MiB; the default if `None`.
    pub queue_mib: Option<u32>,
    /// Where the queues are; a folder of the proxy's own if `None`.
    pub queue: Option<PathBuf>,
    /// What is added to the Collectors' configurations.
    pub extra: Value,
}

/// A running proxy. Told to end when dropped, and waited for.
pub struct Proxy {
    child: Option<Child>,
    pub admin: Admin,
    pub grpc: String,
    pub http: String,
    pub tokenless_grpc: String,
    pub tokenless_http: String,
    kubeconfig: PathBuf,
    queue: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// A proxy that takes what is sent under the tokens of these digits.
    pub fn start(options: &ProxyOptions, tokens: &[char]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = || free_address();
        let mut proxy = Self {
            child: None,
            admin: Admin(free()),
            grpc: free(),
            http: free(),
            tokenless_grpc: free(),
            tokenless_http: free(),
            queue: options.queue.clone(),
            kubeconfig: options.kubeconfig.clone().unwrap_or_else(|| away(folder.path())),
            folder,
        };
        fs::create_dir(proxy.path("manager")).expect("a folder");
        fs::write(proxy.path("other.txt"), "Basic b3RoZXI=").expect("written");
        let mut settings = json!({
            "cluster": { "name": "loop\"back $1" },
            "endpoint": { "otlp": { "url": options.upstream } },
            "listen": { "grpc": proxy.grpc, "http": proxy.http, "trafficMetrics": port(), "eventsMetrics": port() },
        });
        if let Some(url) = &options.tokenless {
            settings["tokenless"] = json!({
                "url": url, "authorizationFile": proxy.path("other.txt"),
                "grpc": proxy.tokenless_grpc, "http": proxy.tokenless_http,
            });
        }
        if let Some(size) = options.queue_mib {
            settings["queue"] = json!({ "sizeMib": size });
        }
        if !options.extra.is_null() {
            settings["extra"] = options.extra.clone();
        }
        fs::write(proxy.path("settings.yaml"), settings.to_string()).expect("written");
        proxy.write_tokens(tokens);
        proxy.run();
        proxy
    }

    /// Starts the process, and waits until it is ready.
    pub fn run(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
        command.arg("telemetry-proxy").arg("--config").arg(self.path("settings.yaml"));
        command.arg("--namespaces-file").arg(self.namespaces_file());
        command.arg("--collector").arg(&*COLLECTOR).arg("--admin-listen").arg(&self.admin.0);
        command.arg("--run-dir").arg(self.path("run")).arg("--queue-dir");
        command.arg(self.queue.clone().unwrap_or_else(|| self.path("queue")));
        command.env("KUBECONFIG", &self.kubeconfig).env_remove("KUBERNETES_SERVICE_HOST");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        self.child = Some(child);
        until("the proxy is ready", || self.admin.is_ready());
    }

    /// A path in the folder of this proxy.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The memory that a Collector has, in bytes.
    pub fn memory_of(&self, collector: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.collector(collector))).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() << 10
    }

    fn namespaces_file(&self) -> PathBuf {
        self.path("manager/namespaces_to_monitor.json")
    }

    /// Writes the manager's list of namespaces, whatever it is, as the manager does.
    pub fn write_namespaces(&self, contents: &[u8]) {
        replace(&self.namespaces_file(), contents);
    }

    /// Lists the namespaces with the tokens of these digits.
    pub fn monitor(&self, namespaces: &[(&str, char)]) {
        let entry = |(name, digit): &(&str, char)| json!({ "name": name, "uid": "uid", "token": token(*digit) });
        let entries: Vec<Value> = namespaces.iter().map(entry).collect();
        self.write_namespaces(Value::from(entries).to_string().as_bytes());
    }

    /// Writes the manager's list of tokens, whatever it is.
    pub fn write_token_file(&self, contents: &[u8]) {
        replace(&self.path("manager/tokens.json"), contents);
    }

    /// Lists the tokens of these digits.
    pub fn write_tokens(&self, digits: &[char]) {
        let tokens: Vec<String> = digits.iter().map(|digit| token(*digit)).collect();
        self.write_token_file(Value::from(tokens).to_string().as_bytes());
    }

    /// What proxy and Collectors have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How often something is in the log.
    pub fn logged(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    /// The process of a Collector that was started last.
    pub fn collector(&self, name: &str) -> u32 {
        let started = format!("started the Collector collector=\"{name}\" pid=");
        let log = self.log();
        let (_, after) = log.rsplit_once(&started).expect("it was started");
        after.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a process")
    }

    /// Tells the proxy to end.
    pub fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    /// The process of the proxy.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Waits until the proxy has ended; true if it says that all went well.
    pub fn ends(&mut self) -> bool {
        let mut child = self.child.take().expect("it runs");
        let mut status = None;
        until("the proxy ends", || {
            status = child.try_wait().expect("it can be waited for");
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the proxy's log ---\n{}", lines[lines.len().saturating_sub(80)..].join("\n"));
        }
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        let start = Instant::now();
        while child.try_wait().is_ok_and(|status| status.is_none()) && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What a proxy says that is not to start with these settings.
pub fn refused_at_start(settings: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yaml");
    fs::write(&file, settings).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["telemetry-proxy", "--admin-listen", "127.0.0.1:0", "--config"])
        .arg(&file)
        .arg("--collector")
        .arg(&*COLLECTOR)
        .arg("--run-dir")
        .arg(folder.path().join("run"))
        .arg("--queue-dir")
        .arg(folder.path().join("queue"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    said
}

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) {
    let told = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(told.expect("kill runs").success() || std::thread::panicking(), "the process {pid} is there");
}

fn replace(path: &Path, contents: &[u8]) {
    let next = path.with_extension("next");
    fs::write(&next, contents).expect("written");
    fs::rename(next, path).expect("put in place");
}

fn port() -> u16 {
    epiphyte_testbed::free_address().expect("a free port").port()
}

/// A kubeconfig of an API server that is away.
fn away(folder: &Path) -> PathBuf {
    let path = folder.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{ "name": "away", "cluster": { "server": "http://127.0.0.1:1" } }],
        "contexts": [{ "name": "away", "context": { "cluster": "away", "user": "nobody" } }],
        "users": [{ "name": "nobody", "user": {} }],
    });
    fs::write(&path, config.to_string()).expect("written");
    path
}
