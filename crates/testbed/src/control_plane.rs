//! A control plane of one's own: started, asked for clients, its components stopped and started again.

mod build;
mod commands;
mod guest;
mod images;
mod kubectl;
mod node;
mod ports;
mod ready;
mod reboot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use serde_json::Value;

pub use build::Builder;
pub use commands::Component;
pub use guest::Guest;
use node::Tools;
pub use node::no_node;
use ports::Ports;

use crate::audit::AuditLog;
use crate::certificates::Authority;
use crate::supervisor::{Id, Start, Status, Supervisor};
use crate::{Error, Result, kubeconfig};

/// The user that [`ControlPlane::client`] is, a member of `system:masters`.
pub const ADMIN: &str = "testbed-admin";

/// An API server with its etcd and controllers, for as long as this value lives.
///
/// Everything, processes and folder, goes when it is dropped, and also when the process that holds it is killed.
pub struct ControlPlane {
    /// Dropped first, so that nobody is served any more while the rest goes.
    supervisor: Supervisor,
    /// The programs' folder.
    programs: PathBuf,
    /// The node's programs, where there is one.
    tools: Option<Tools>,
    /// The name of the node that runs pods, where there is one.
    node: Option<String>,
    authority: Authority,
    ports: Ports,
    /// The command of each component that this control plane has.
    commands: BTreeMap<Component, Vec<String>>,
    /// The latest process of each component: set when one is started, never removed.
    processes: Mutex<BTreeMap<Component, Id>>,
    admin: Value,
    client: Client,
    /// How many kubeconfigs were written: keeps their names apart.
    users: AtomicUsize,
    deadline: Duration,
}

impl ControlPlane {
    /// Starts a control plane without a scheduler, and waits until it is ready for use.
    ///
    /// # Errors
    /// When the programs cannot be built or a component does not become ready; the error shows the end of its log.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// For control planes that differ from the ordinary.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client that may do everything, as [`ADMIN`].
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The kubeconfig of [`ADMIN`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join(build::ADMIN_KUBECONFIG)
    }

    /// The URL of the API server.
    pub fn url(&self) -> String {
        url(&self.ports.api_server)
    }

    /// The certificate authority of the API server and its clients, as PEM.
    pub fn authority(&self) -> String {
        self.authority.certificate()
    }

    /// The folder of this control plane: component logs are here as `<component>.log`. Files put here go with it.
    pub fn folder(&self) -> &Path {
        self.supervisor.folder()
    }

    /// Writes the kubeconfig of another user, with at most two groups; what the user may do is up to RBAC.
    ///
    /// # Errors
    /// When the certificate cannot be made or the file not be written.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<PathBuf> {
        let content = self.render(name, groups)?;
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let path = self.folder().join(format!("user-{number}.kubeconfig"));
        kubeconfig::write_private(&path, content.to_string().as_bytes())?;
        Ok(path)
    }

    /// A client of another user; see [`ControlPlane::user`].
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub async fn client_as(&self, name: &str, groups: &[&str]) -> Result<Client> {
        kubeconfig::client(&self.render(name, groups)?, name, None).await
    }

    /// The socket that telemetry of the node's pods comes to, and where pods have to send it.
    pub(crate) fn telemetry(&self) -> (PathBuf, String) {
        (self.folder().join(ports::OTLP_SOCKET), format!("http://{}:{}", ports::ADDRESS, ports::OTLP_PORT))
    }

    /// What the API server was asked for, and by whom.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.folder().join(build::AUDIT_LOG))
    }

    /// The process id of a component; nothing while it is stopped, or where this control plane has none.
    pub fn pid(&self, component: Component) -> Option<u32> {
        match self.status(component)? {
            Status::Running(pid) => Some(pid),
            Status::Failed(_) | Status::Exited(_) => None,
        }
    }

    /// Ends a component as a crash would, and waits until it is gone. Its data and its port stay.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn stop(&self, component: Component) -> Result<()> {
        match self.process(component) {
            Some(id) => self.supervisor.stop(id).await,
            None => Ok(()),
        }
    }

    /// Starts a component that is stopped, where it was and with what it had, and waits until it is ready.
    /// Does nothing but wait where it runs.
    ///
    /// # Errors
    /// When it ends early or does not become ready in time.
    pub async fn start_component(&self, component: Component) -> Result<()> {
        if self.pid(component).is_none() {
            self.spawn(component).await?;
        }
        self.ready(component).await
    }

    /// Stops a component and starts it again; see [`ControlPlane::stop`] and [`ControlPlane::start_component`].
    ///
    /// # Errors
    /// As those two.
    pub async fn restart(&self, component: Component) -> Result<()> {
        self.stop(component).await?;
        self.start_component(component).await
    }

    /// Starts a component's process and does not wait for anything.
    async fn spawn(&self, component: Component) -> Result<()> {
        let argv = self.commands.get(&component).cloned().ok_or_else(|| Error::Component {
            component: component.program(),
            problem: "is not a part of this control plane; ask the builder for it".to_owned(),
            path: self.log(component),
            log: String::new(),
        })?;
        let id = self.supervisor.run(&Start { argv, env: self.environment(), log: self.log(component) }).await?;
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).insert(component, id);
        Ok(())
    }

    /// Nothing of the caller's environment, a proxy least of all.
    fn environment(&self) -> Vec<String> {
        let folder = self.folder().display();
        let mut variables = vec![format!("HOME={folder}"), format!("TMPDIR={folder}")];
        match &self.tools {
            Some(tools) => variables.extend(tools.environment()),
            None => variables.push("PATH=/usr/bin:/bin".to_owned()),
        }
        variables
    }

    fn render(&self, name: &str, groups: &[&str]) -> Result<Value> {
        let identity = self.authority.client(name, groups)?;
        Ok(kubeconfig::render(&self.url(), &self.authority.certificate(), name, &identity))
    }

    fn process(&self, component: Component) -> Option<Id> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).get(&component).copied()
    }

    fn status(&self, component: Component) -> Option<Status> {
        self.supervisor.status(self.process(component)?)
    }

    fn log(&self, component: Component) -> PathBuf {
        self.folder().join(format!("{}.log", component.program()))
    }
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("url", &self.url()).field("folder", &self.folder()).finish_non_exhaustive()
    }
}

fn url(port: &crate::ports::Port) -> String {
    format!("https://127.0.0.1:{}", port.number())
}
