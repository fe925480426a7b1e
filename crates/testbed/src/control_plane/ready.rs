//! When a component is ready, and what is said when it does not get there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Node, ServiceAccount};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::commands::{Component, etcd_socket};
use super::{ADMIN, ControlPlane, node, url};
use crate::ports::Port;
use crate::supervisor::Status;
use crate::{Error, Result, kubeconfig};

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How long one answer may take before the question is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How much of a log an error shows.
const SHOWN_LINES: usize = 30;

impl ControlPlane {
    /// Waits until a component that runs is ready.
    pub(super) async fn ready(&self, component: Component) -> Result<()> {
        match component {
            Component::Etcd => {
                let socket = etcd_socket(self.folder());
                self.until(component, "etcd", async || {
                    UnixStream::connect(&socket).map(drop).map_err(|error| error.to_string())
                })
                .await?;
                // The API server's own look at etcd is the one that counts.
                if self.pid(Component::ApiServer).is_some() { self.healthy(Component::ApiServer).await } else { Ok(()) }
            }
            Component::ApiServer | Component::ControllerManager | Component::Scheduler => self.healthy(component).await,
            Component::Containerd => {
                let socket = node::runtime_socket(self.folder());
                self.until(component, "the container runtime", async || {
                    UnixStream::connect(&socket).map(drop).map_err(|error| error.to_string())
                })
                .await
            }
            Component::Dns => self.answers(component, &self.ports.dns, "/ready").await,
            Component::KubeProxy => self.answers(component, &self.ports.kube_proxy, "/healthz").await,
            Component::Kubelet => {
                self.answers(component, &self.ports.kubelet, "/healthz").await?;
                let name = self.node.clone().unwrap_or_default();
                let nodes: Api<Node> = Api::all(self.client());
                self.until(component, "the node's condition Ready", async || {
                    let node = nodes.get_status(&name).await.map_err(|error| error.to_string())?;
                    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
                    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
                    match ready {
                        Some(ready) if ready.status == "True" => Ok(()),
                        Some(ready) => Err(ready.message.unwrap_or_default()),
                        None => Err("the kubelet says nothing yet".to_owned()),
                    }
                })
                .await
            }
        }
    }

    /// Starts everything that a node has, and loads what every pod needs.
    pub(super) async fn start_node(&self) -> Result<()> {
        for component in [Component::Containerd, Component::Dns, Component::KubeProxy] {
            self.spawn(component).await?;
        }
        self.ready(Component::Containerd).await?;
        self.load_image(&self.folder().join(node::PAUSE_ARCHIVE)).await?;
        self.start_kubelet().await?;
        self.ready(Component::Dns).await?;
        self.ready(Component::KubeProxy).await
    }

    /// Starts the kubelet, again where it ends at once, as whoever runs it on a machine does: the container runtime listens
    /// before it has an answer, which the kubelet ends over.
    pub(super) async fn start_kubelet(&self) -> Result<()> {
        let deadline = Instant::now() + self.deadline;
        loop {
            match self.start_component(Component::Kubelet).await {
                Err(_) if self.pid(Component::Kubelet).is_none() && Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                started => return started,
            }
        }
    }

    /// Waits until a component answers plain HTTP with 200.
    async fn answers(&self, component: Component, port: &Port, path: &str) -> Result<()> {
        let address = (Ipv4Addr::LOCALHOST, port.number());
        let what = format!("{path} of {}", component.program());
        self.until(component, &what, async || {
            let ask = async || -> std::io::Result<String> {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                Ok(answer)
            };
            let answer = ask().await.map_err(|error| error.to_string())?;
            let line = answer.lines().next().unwrap_or_default();
            if line.contains(" 200 ") { Ok(()) } else { Err(line.to_owned()) }
        })
        .await
    }

    /// Waits until every namespace of a new cluster is there and has what pods need, so that the controllers are at
    /// rest and every write from now on is somebody's doing.
    pub(super) async fn settled(&self) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::all(self.client());
        let maps: Api<ConfigMap> = Api::all(self.client());
        let named = |name: &str| ListParams::default().fields(&format!("metadata.name={name}"));
        self.until(Component::ControllerManager, "a new cluster's namespaces", async || {
            let accounts = accounts.list(&named("default")).await.map_err(|error| error.to_string())?;
            let maps = maps.list(&named("kube-root-ca.crt")).await.map_err(|error| error.to_string())?;
            let accounts: BTreeSet<_> = accounts.iter().filter_map(|it| it.metadata.namespace.as_deref()).collect();
            let maps: BTreeSet<_> = maps.iter().filter_map(|it| it.metadata.namespace.as_deref()).collect();
            match NAMESPACES.iter().find(|name| !accounts.contains(*name) || !maps.contains(*name)) {
                Some(name) => Err(format!("{name} is not complete")),
                None => Ok(()),
            }
        })
        .await
    }

    async fn healthy(&self, component: Component) -> Result<()> {
        let (port, path) = match component {
            Component::Scheduler => (&self.ports.scheduler, "/readyz"),
            Component::ControllerManager => (&self.ports.controller_manager, "/healthz"),
            _ => (&self.ports.api_server, "/readyz"),
        };
        // A client of its own: no connection is left over from before a restart.
        let client = kubeconfig::client(&self.admin, ADMIN, Some(&url(port))).await?;
        let what = format!("{} of {}", path, component.program());
        self.until(component, &what, async || ask(&client, path).await).await
    }

    /// Looks until a condition holds, the component has ended, or time is up.
    async fn until(
        &self,
        component: Component,
        what: &str,
        mut holds: impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<()> {
        let deadline = Instant::now() + self.deadline;
        loop {
            if let Some(Status::Exited(how) | Status::Failed(how)) = self.status(component) {
                return Err(self.failed(component, format!("ended early ({how})")));
            }
            let last = match tokio::time::timeout(ANSWER_WITHIN, holds()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => why,
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                let timeout = Error::Timeout { what: what.to_owned(), within: self.deadline, last };
                return Err(self.failed(component, format!("is not ready: {timeout}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn failed(&self, component: Component, problem: String) -> Error {
        let path = self.log(component);
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let log = lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)).copied().collect::<Vec<_>>().join("\n");
        Error::Component { component: component.program(), problem, path, log }
    }
}

async fn ask(client: &Client, path: &str) -> Result<(), String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}
