//! The operator as a process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use epiphyte_testbed::ControlPlane;

use super::{Admin, SYSTEM, free_address};

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
    /// A kubeconfig other than that of the user.
    pub kubeconfig: Option<PathBuf>,
}

/// A running operator. Killed when dropped, unless it goes with its control plane.
pub struct Operator {
    /// `None` for one that goes with its control plane.
    child: Option<Child>,
    pub admin: String,
    pub webhook: String,
    pub settings: PathBuf,
    log: PathBuf,
    /// `None` where its files are in the folder of the control plane.
    _folder: Option<tempfile::TempDir>,
}

impl Operator {
    pub fn start(plane: &ControlPlane, options: &OperatorOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the operator");
        let (mut command, mut operator) = Self::prepare(plane, options, folder.path());
        let log = File::create(&operator.log).expect("a log file");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the operator starts");
        (operator.child, operator._folder) = (Some(child), Some(folder));
        operator
    }

    /// Starts an operator that goes with its control plane, for those who have no occasion to drop it.
    pub async fn lodge(plane: &ControlPlane, options: &OperatorOptions) -> Self {
        let (command, operator) = Self::prepare(plane, options, plane.folder());
        plane.run("operator", &command).await.expect("the operator starts");
        operator
    }

    /// The command of an operator whose files are in `folder`, and what it will be once it is started: it logs to a
    /// file there.
    fn prepare(plane: &ControlPlane, options: &OperatorOptions, folder: &Path) -> (Command, Self) {
        let settings = folder.join("settings.yaml");
        std::fs::write(&settings, with_defaults(&options.settings)).expect("settings are written");
        let user = if options.user.is_empty() { OPERATOR } else { &options.user };
        let groups: Vec<&str> = options.groups.iter().map(String::as_str).collect();
        let groups = if groups.is_empty() { &["system:masters"][..] } else { &groups };
        let of_user = || plane.user(user, groups).expect("a kubeconfig for the operator");
        let kubeconfig = options.kubeconfig.clone().unwrap_or_else(of_user);
        let (admin, webhook) = (free_address(), options.webhook.clone().unwrap_or_else(free_address));
        let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
        command
            .args(["operator", "--namespace", SYSTEM, "--admin-listen", &admin, "--webhook-listen", &webhook])
            .arg(format!("--webhook-url=https://{webhook}"))
            .arg("--config")
            .arg(&settings)
            .arg("--namespaces-file")
            .arg(folder.join("namespaces_to_monitor.json"))
            .args(["--log", "info,epiphyte_operator=debug"])
            .env("KUBECONFIG", kubeconfig);
        // The control plane names the logs of its guests like this.
        let log = folder.join("operator.log");
        (command, Self { child: None, admin, webhook, settings, log, _folder: None })
    }

    /// Writes other settings, which the operator takes over by itself.
    pub fn reconfigure(&self, settings: &str) {
        std::fs::write(&self.settings, with_defaults(settings)).expect("settings are written");
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("an operator of one's own").id()
    }

    /// A file that the telemetry proxy would read, by its name.
    pub fn proxy_file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.settings.with_file_name(name)).ok()
    }

    /// What the operator has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Body of an answer of the admin address, and whether it was a success.
    pub fn admin(&self, path: &str) -> Option<(bool, String)> {
        Admin(self.admin.clone()).get(path)
    }

    /// Value of a metric, summed over its labels that contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        Admin(self.admin.clone()).metric(name, labels)
    }

    pub fn is_ready(&self) -> bool {
        self.admin("/readyz").is_some_and(|(ready, _)| ready)
    }

    pub fn leads(&self) -> bool {
        self.metric("epiphyte_leader", &[]) == 1.0
    }

    /// Ends the operator as a node failure would.
    pub fn kill(mut self) {
        let child = self.child.as_mut().expect("an operator of one's own");
        child.kill().expect("the operator is killed");
        child.wait().expect("the operator is gone");
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Asks the operator to stop, and waits until it has; true if it said that all went well.
    pub fn stop(mut self) -> bool {
        self.signal("TERM");
        self.ends()
    }

    /// Waits until the operator has ended by itself; true if it said that all went well.
    pub fn ends(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let child = self.child.as_mut().expect("an operator of one's own");
            if let Some(status) = child.try_wait().expect("the operator can be waited for") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the operator does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Settings as tests have them: readiness of the collectors is what the test sets, unless it speaks of the scheduler.
fn with_defaults(settings: &str) -> String {
    let scheduler = if settings.contains("scheduler:") { "" } else { "scheduler: {enabled: false}\n" };
    format!("{scheduler}{settings}")
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the operator's log ---\n{}", self.log());
        }
        if let Some(child) = &mut self.child {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
