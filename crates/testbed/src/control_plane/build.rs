//! Starts a control plane: folder, certificates, ports, and then one component after the other.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::commands::{Component, Setup, file};
use super::node::{self, Tools};
use super::ports::{ADDRESS, Ports};
use super::{ADMIN, ControlPlane, url};
use crate::certificates::{self, Authority};
use crate::kubeconfig::{self, write_private};
use crate::supervisor::Supervisor;
use crate::{Error, Result, audit, programs};

pub(super) const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";
pub(super) const AUDIT_LOG: &str = file::AUDIT_LOG;

/// The address of the Service `kubernetes`: the first of its range.
const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// How long a component may take: many times what it does take, for machines that are busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// What is special about a control plane; see [`ControlPlane::builder`].
#[derive(Debug, Clone, Default)]
pub struct Builder {
    api_server_flags: Vec<String>,
    controllers: Vec<String>,
    scheduler: bool,
    node: Option<String>,
}

impl Builder {
    /// A further flag of `kube-apiserver`, such as `--max-requests-inflight=5`; wins over one of the test bed's.
    #[must_use]
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// A further controller of `kube-controller-manager`, such as `disruption-controller`, or with a minus one less.
    #[must_use]
    pub fn controller(mut self, controller: impl Into<String>) -> Self {
        self.controllers.push(controller.into());
        self
    }

    /// Whether there is a scheduler; there is none by default.
    #[must_use]
    pub fn with_scheduler(mut self, scheduler: bool) -> Self {
        self.scheduler = scheduler;
        self
    }

    /// A node of this name that runs pods, and a scheduler: container runtime, kubelet, `kube-proxy` and cluster DNS. All of
    /// the cluster runs in namespaces and cgroups of its own then, out of which no way leads but the API server's address.
    /// Needs root, Debian 12, and a kernel that lets us; see [`no_node`](crate::no_node).
    #[must_use]
    pub fn with_node(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self.with_scheduler(true)
    }

    /// Starts the control plane and waits until it can be used: the components are ready, and every namespace has the
    /// service account and the ConfigMap that pods need.
    ///
    /// # Errors
    /// When the programs cannot be built or a component does not become ready; the error shows the end of its log.
    pub async fn start(self) -> Result<ControlPlane> {
        // The first one builds programs, which takes minutes.
        let with_node = self.node.is_some();
        let prepared = tokio::task::spawn_blocking(move || {
            let ports = Ports::reserve()?;
            let forwards = with_node.then(|| ports.forwards());
            let supervisor = Supervisor::start("epiphyte-", forwards.as_deref())?;
            let tools = with_node.then(Tools::get).transpose()?;
            Ok(Prepared { programs: programs::kubernetes()?, tools, ports, supervisor })
        });
        let plane = self.lay_out(prepared.await.map_err(|_| Error::CutOff)??).await?;
        plane.start_component(Component::Etcd).await?;
        plane.start_component(Component::ApiServer).await?;
        plane.start_component(Component::ControllerManager).await?;
        if self.scheduler {
            plane.start_component(Component::Scheduler).await?;
        }
        plane.settled().await?;
        if with_node {
            plane.start_node().await?;
        }
        Ok(plane)
    }

    /// Makes everything that the components' commands name.
    async fn lay_out(&self, prepared: Prepared) -> Result<ControlPlane> {
        let Prepared { programs, tools, ports, supervisor } = prepared;
        let folder = supervisor.folder();
        let write = |name: &str, content: &str| write_private(&folder.join(name), content.as_bytes());
        let authority = Authority::generate()?;
        write(file::AUTHORITY, &authority.certificate())?;
        let server = authority.server(&[ADDRESS, API_SERVICE])?;
        write(file::SERVER_CERTIFICATE, &server.certificate)?;
        write(file::SERVER_KEY, &server.key)?;
        let kubelet_client = authority.client("kube-apiserver-kubelet-client", &["system:masters"])?;
        write(file::KUBELET_CLIENT_CERTIFICATE, &kubelet_client.certificate)?;
        write(file::KUBELET_CLIENT_KEY, &kubelet_client.key)?;
        let (private, public) = certificates::key_pair()?;
        write(file::TOKEN_KEY, &private)?;
        write(file::TOKEN_PUBLIC_KEY, &public)?;
        write(file::AUDIT_POLICY, &audit::policy().to_string())?;
        write(file::AUDIT_LOG, "")?;

        let server = url(&ports.api_server);
        let user = |name: &str, groups: &[&str]| -> Result<_> {
            Ok(kubeconfig::render(&server, &authority.certificate(), name, &authority.client(name, groups)?))
        };
        let admin = user(ADMIN, &["system:masters"])?;
        write(ADMIN_KUBECONFIG, &admin.to_string())?;
        write(file::CONTROLLER_MANAGER_KUBECONFIG, &user("system:kube-controller-manager", &[])?.to_string())?;
        write(file::SCHEDULER_KUBECONFIG, &user("system:kube-scheduler", &[])?.to_string())?;

        let setup = Setup {
            programs: &programs,
            folder,
            ports: &ports,
            api_server_flags: &self.api_server_flags,
            controllers: &self.controllers,
            with_node: self.node.is_some(),
        };
        let mut components = vec![Component::Etcd, Component::ApiServer, Component::ControllerManager];
        components.extend(self.scheduler.then_some(Component::Scheduler));
        let mut commands: BTreeMap<_, _> =
            components.into_iter().filter_map(|c| Some((c, setup.command(c)?))).collect();
        if let (Some(name), Some(tools)) = (&self.node, &tools) {
            for (file, user_name, groups) in node::users(name) {
                write(file, &user(&user_name, groups)?.to_string())?;
            }
            let setup = node::Setup { name, programs: &programs, tools, folder, ports: &ports };
            setup.write()?;
            commands.extend(node::COMPONENTS.into_iter().filter_map(|c| Some((c, setup.command(c)?))));
        }
        let client = kubeconfig::client(&admin, ADMIN, None).await?;
        Ok(ControlPlane {
            tools,
            node: self.node.clone(),
            supervisor,
            programs,
            authority,
            ports,
            commands,
            processes: Mutex::default(),
            admin,
            client,
            users: AtomicUsize::new(0),
            deadline: DEADLINE,
        })
    }
}

/// What takes long or may fail before there is anything to clean up.
struct Prepared {
    programs: PathBuf,
    tools: Option<Tools>,
    ports: Ports,
    supervisor: Supervisor,
}
