//! The node agent as a process, with folders of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kubelet::Kubelet;
use crate::proc::Proc;
use crate::support::{Admin, Cluster, node, until};

/// A node: what an agent finds there, and what stays there when the agent goes.
pub struct Node {
    pub name: String,
    pub proc: Proc,
    pub kubelet: Kubelet,
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Node {
    /// A node with agent files for every language and a kubelet.
    pub async fn new(cluster: &Cluster, name: &str) -> Self {
        // Short, for paths of sockets have a limit.
        let folder = tempfile::Builder::new().prefix("en").tempdir().expect("a folder for the node");
        let user = format!("agent-{name}");
        let kubeconfig = cluster.plane.user(&user, &["system:masters"]).expect("a kubeconfig for the agent");
        cluster.plane.create_node(&node(name)).await.expect("a node");
        let kubelet = Kubelet::start(&folder.path().join("kubelet")).await;
        let this = Self { name: name.to_owned(), proc: Proc::new(), kubelet, folder, kubeconfig };
        for file in ["injector/injector.so", "java/agent.jar", "node/register.js", "python/sitecustomize.py"] {
            this.agent_file(file, file);
        }
        this.agent_file("go/otel-go-instrumentation", "#!/bin/sh\nexec sleep 1000\n");
        this
    }

    /// Puts a file among those that the agent's image brings along.
    pub fn agent_file(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.agents().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, text).expect("the file is written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the file is made executable");
    }

    pub fn agents(&self) -> PathBuf {
        self.folder.path().join("agents")
    }

    /// The folder of the host that agent files are copied to.
    pub fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command that starts an agent on this node.
    pub fn command(&self, admin: &Admin) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
        command
            .args(["node-agent", "--node-name", &self.name, "--admin-listen", &admin.0])
            .args(["--lumigo-endpoint", "http://lumigo.test:4318", "--endpoint", "http://collector.test:4318"])
            .args(["--devices-per-kind", "3"])
            .args(["--log", "info,epiphyte_node_agent=debug"])
            .arg("--proc")
            .arg(self.proc.path())
            .arg("--kubelet-dir")
            .arg(self.kubelet.folder())
            .arg("--agents")
            .arg(self.agents())
            .arg("--host-dir")
            .arg(self.host())
            .env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Starts an agent and waits until it is ready.
    pub async fn agent(&self) -> Agent {
        let agent = self.start();
        agent.until_ready().await;
        agent
    }

    /// Starts an agent.
    pub fn start(&self) -> Agent {
        let admin = Admin::free();
        let command = self.command(&admin);
        self.run(command, admin)
    }

    /// Starts an agent by a command.
    pub fn run(&self, mut command: Command, admin: Admin) -> Agent {
        let log = self.folder.path().join("agent.log");
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("the agent starts");
        Agent { child, admin, log }
    }
}

/// A running agent. Killed when dropped.
pub struct Agent {
    child: Child,
    pub admin: Admin,
    log: PathBuf,
}

impl Agent {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub async fn until_ready(&self) {
        until("the agent is ready", || async { self.admin.is_ready() }).await;
    }

    /// Ends the agent as a node failure would.
    pub fn kill(mut self) {
        self.child.kill().expect("the agent is killed");
        self.child.wait().expect("the agent is gone");
    }

    /// Asks the agent to stop, and waits until it has; true if it said that all went well.
    pub fn stop(mut self) -> bool {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(told.expect("kill runs").success());
        self.ends()
    }

    /// What the agent has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the agent has ended by itself; true if it said that all went well.
    pub fn ends(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().expect("the agent can be waited for") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the agent does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent {
    #[expect(clippy::print_stderr, reason = "the log explains why the test fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the agent's log ---\n{}", self.log());
        }
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
