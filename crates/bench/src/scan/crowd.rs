//! Real processes that idle, of the kinds that a node is full of.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use epiphyte_api::Language;
use epiphyte_testbed::Component;
use tempfile::TempDir;

use super::proc::Proc;
use crate::cluster::Cluster;
use crate::process::Process;
use crate::runtimes::{Runtime, on_path};

/// Containers of each runtime: enough to tell, and few enough for the memory of a small machine.
const OF_A_RUNTIME: usize = 5;

/// Containers of a Rust program, and how many of them have an image in common.
const RUST: (usize, usize) = (12, 3);

/// How many containers of C programs have an image in common.
const C_IN_COMMON: usize = 3;

/// Of how many C programs one is started by a shell.
const SHELL_EVERY: usize = 8;

/// Variables that each process has: those of its manifest, and of the Services around it.
const VARIABLES: usize = 60;

/// How long processes must have used no CPU time to count as idle.
const QUIET: Duration = Duration::from_millis(500);

/// A container.
pub(super) struct Container {
    /// What runs in it, for people.
    pub(super) title: &'static str,
    /// The language that it has to be seen as, where that is known.
    pub(super) language: Option<Language>,
    pub(super) pod_uid: String,
    /// The container runtime's id.
    pub(super) id: String,
    /// That of the container that holds the pod's namespaces.
    pause_id: String,
    pause: u32,
    /// Its own processes.
    pids: Vec<u32>,
}

impl Container {
    /// Processes of its pod.
    pub(super) fn processes(&self) -> usize {
        self.pids.len() + 1
    }

    /// Shows all processes of its pod.
    pub(super) fn show(&self, proc: &Proc) -> Result<()> {
        proc.show(self.pause, &self.pod_uid, &self.pause_id)?;
        self.pids.iter().try_for_each(|pid| proc.show(*pid, &self.pod_uid, &self.id))
    }
}

/// Containers with their processes, which end when it is dropped.
pub(super) struct Crowd {
    pub(super) containers: Vec<Container>,
    children: Vec<Child>,
    /// Copies of programs: different images have different files.
    images: TempDir,
}

impl Crowd {
    /// Starts as many containers. The Go programs among them are those of the control plane.
    pub(super) fn start(cluster: &Cluster, count: usize) -> Result<Self> {
        let mut crowd = Self { containers: Vec::new(), children: Vec::new(), images: tempfile::tempdir()? };
        for component in [Component::Etcd, Component::ApiServer, Component::ControllerManager] {
            let pid = cluster.plane.pid(component).context("the control plane has ended")?;
            crowd.add("Go", Some(Language::Go), vec![pid])?;
        }
        for runtime in Runtime::ALL {
            let Some(program) = runtime.program()? else { continue };
            for _ in 0..OF_A_RUNTIME {
                let pid = crowd.run(&program, runtime.idle())?;
                crowd.add(runtime.name(), Some(runtime.language()), vec![pid])?;
            }
        }
        for number in 0..RUST.0 {
            let program = crowd.image(&cluster.program, "shop", number / RUST.1)?;
            let pid = crowd.run(&program, &["preview", "-f", "-"])?;
            crowd.add("Rust", Some(Language::Rust), vec![pid])?;
        }
        let c = on_path("sort").context("nothing is left to start")?;
        for number in 0..count.saturating_sub(crowd.containers.len()) {
            let program = crowd.image(&c, "till", number / C_IN_COMMON)?;
            let pids =
                if number % SHELL_EVERY == 0 { crowd.run_by_shell(&program)? } else { vec![crowd.run(&program, &[])?] };
            crowd.add("C", None, pids)?;
        }
        Ok(crowd)
    }

    /// Waits until all processes idle.
    pub(super) async fn settle(&self) -> Result<()> {
        let used = || self.children.iter().map(|child| Process(child.id()).cpu()).sum::<Result<Duration>>();
        let mut before = used()?;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = used()?;
            if now == before {
                return Ok(());
            }
            before = now;
        }
    }

    fn add(&mut self, title: &'static str, language: Option<Language>, pids: Vec<u32>) -> Result<()> {
        let number = self.containers.len();
        let pause = self.run(Path::new("cat"), &[])?;
        self.containers.push(Container {
            title,
            language,
            pod_uid: format!("{number:08x}-6c3a-4d52-9e7f-1a2b3c4d5e6f"),
            id: format!("a{number:063x}"),
            pause_id: format!("b{number:063x}"),
            pause,
            pids,
        });
        Ok(())
    }

    /// The program as the image of this number has it.
    fn image(&self, program: &Path, name: &str, number: usize) -> Result<PathBuf> {
        let path = self.images.path().join(format!("{number}/{name}"));
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::copy(program, &path).with_context(|| format!("cannot copy {}", program.display()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(path)
    }

    /// Starts a program that waits for the end of its standard input.
    fn run(&mut self, program: &Path, arguments: &[&str]) -> Result<u32> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for number in 0..VARIABLES {
            command.env(format!("BACKEND_{number:02}_SERVICE_HOST"), "10.96.104.17");
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
    }

    /// Starts a program by a shell that waits for it; gives both processes.
    fn run_by_shell(&mut self, program: &Path) -> Result<Vec<u32>> {
        let shell = self.run(Path::new("sh"), &["-c", &format!("{}; true", program.display())])?;
        for _ in 0..1000 {
            let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
            if let Some(child) = children.split_whitespace().next() {
                return Ok(vec![shell, child.parse()?]);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        anyhow::bail!("a shell starts nothing")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.children {
            // At the end of its input a shell's program ends too.
            drop(child.stdin.take());
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
