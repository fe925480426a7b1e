//! The components of a control plane and their command lines.

use std::path::Path;

use super::ports::{ADDRESS, Ports};

/// A process of a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The store.
    Etcd,
    /// `kube-apiserver`.
    ApiServer,
    /// `kube-controller-manager`.
    ControllerManager,
    /// `kube-scheduler`; only where the builder was asked for it.
    Scheduler,
    /// The container runtime; this and the rest only where there is a node.
    Containerd,
    /// The cluster's DNS server.
    Dns,
    /// `kube-proxy`.
    KubeProxy,
    /// `kubelet`.
    Kubelet,
}

impl Component {
    /// The name of its program, and of its log up to the dot.
    pub fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Containerd => "containerd",
            Self::Dns => "coredns",
            Self::KubeProxy => "kube-proxy",
            Self::Kubelet => "kubelet",
        }
    }
}

/// What workloads need. Without the node life cycle, since nobody renews the leases of nodes that are but objects.
pub(super) const CONTROLLERS: [&str; 16] = [
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
];

/// What a node that is more than an object needs besides.
const NODE_CONTROLLERS: [&str; 3] = ["disruption-controller", "node-lifecycle-controller", "taint-eviction-controller"];

/// The socket that etcd serves clients at.
pub(super) fn etcd_socket(folder: &Path) -> std::path::PathBuf {
    folder.join("etcd.sock")
}

/// The files of the control plane's folder that commands name.
pub(super) mod file {
    pub(in crate::control_plane) const AUTHORITY: &str = "ca.crt";
    pub(in crate::control_plane) const SERVER_CERTIFICATE: &str = "server.crt";
    pub(in crate::control_plane) const SERVER_KEY: &str = "server.key";
    pub(in crate::control_plane) const KUBELET_CLIENT_CERTIFICATE: &str = "kubelet-client.crt";
    pub(in crate::control_plane) const KUBELET_CLIENT_KEY: &str = "kubelet-client.key";
    pub(in crate::control_plane) const TOKEN_KEY: &str = "service-accounts.key";
    pub(in crate::control_plane) const TOKEN_PUBLIC_KEY: &str = "service-accounts.pub";
    pub(in crate::control_plane) const AUDIT_POLICY: &str = "audit-policy.json";
    pub(in crate::control_plane) const AUDIT_LOG: &str = "audit.log";
    pub(in crate::control_plane) const CONTROLLER_MANAGER_KUBECONFIG: &str = "controller-manager.kubeconfig";
    pub(in crate::control_plane) const SCHEDULER_KUBECONFIG: &str = "scheduler.kubeconfig";
}

/// What the commands are made of.
pub(super) struct Setup<'a> {
    pub(super) programs: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) ports: &'a Ports,
    /// Given last, so that they win.
    pub(super) api_server_flags: &'a [String],
    /// Beside [`CONTROLLERS`].
    pub(super) controllers: &'a [String],
    /// Whether there is a node that runs pods.
    pub(super) with_node: bool,
}

impl Setup<'_> {
    /// The program of a component and its arguments; nothing for what is a node's.
    pub(super) fn command(&self, component: Component) -> Option<Vec<String>> {
        let flags = match component {
            Component::Etcd => self.etcd(),
            Component::ApiServer => self.api_server(),
            Component::ControllerManager => self.controller_manager(),
            Component::Scheduler => self.scheduler(),
            Component::Containerd | Component::Dns | Component::KubeProxy | Component::Kubelet => return None,
        };
        let program = self.programs.join(component.program()).display().to_string();
        Some(std::iter::once(program).chain(flags).collect())
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Over sockets in the folder: no port to find, and nobody else gets in.
    fn etcd(&self) -> Vec<String> {
        let clients = format!("unix://{}", etcd_socket(self.folder).display());
        let peers = format!("unix://{}", self.path("etcd-peers.sock"));
        vec![
            "--name=testbed".to_owned(),
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            // These must be addresses, but nobody ever calls: there are no peers, and clients know the socket.
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--initial-advertise-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--initial-cluster=testbed=http://127.0.0.1:2380".to_owned(),
            // The data need not outlive the machine.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_server(&self) -> Vec<String> {
        let mut flags = self.serving(self.ports.api_server.number());
        flags.extend([
            format!("--etcd-servers=unix://{}", etcd_socket(self.folder).display()),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            format!("--client-ca-file={}", self.path(file::AUTHORITY)),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            format!("--service-account-key-file={}", self.path(file::TOKEN_PUBLIC_KEY)),
            format!("--service-account-signing-key-file={}", self.path(file::TOKEN_KEY)),
            format!("--kubelet-client-certificate={}", self.path(file::KUBELET_CLIENT_CERTIFICATE)),
            format!("--kubelet-client-key={}", self.path(file::KUBELET_CLIENT_KEY)),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--audit-policy-file={}", self.path(file::AUDIT_POLICY)),
            format!("--audit-log-path={}", self.path(file::AUDIT_LOG)),
            "--audit-log-mode=blocking".to_owned(),
            // Megabytes: never turned over, so that marks stay good.
            "--audit-log-maxsize=1000000".to_owned(),
        ]);
        if self.with_node {
            flags.extend([
                format!("--advertise-address={ADDRESS}"),
                // Pods come by the node's address; the port is on this one address of the machine only, from outside.
                "--bind-address=0.0.0.0".to_owned(),
                "--allow-privileged".to_owned(),
            ]);
        } else {
            flags.extend([
                // No pod is to reach us under the Service's address, and no loopback address is admitted there.
                "--advertise-address=192.0.2.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
            ]);
        }
        flags.extend_from_slice(self.api_server_flags);
        flags
    }

    fn controller_manager(&self) -> Vec<String> {
        // The first word on a controller counts.
        let nodes = self.with_node.then_some(NODE_CONTROLLERS).into_iter().flatten();
        let controllers: Vec<&str> =
            self.controllers.iter().map(String::as_str).chain(CONTROLLERS).chain(nodes).collect();
        let mut flags = self.serving(self.ports.controller_manager.number());
        flags.extend([
            format!("--kubeconfig={}", self.path(file::CONTROLLER_MANAGER_KUBECONFIG)),
            format!("--controllers={}", controllers.join(",")),
            "--leader-elect=false".to_owned(),
            // The default of 20 a second is what a start would mostly wait for.
            "--kube-api-qps=1000".to_owned(),
            "--kube-api-burst=2000".to_owned(),
            // Each controller under its own name, as in a normal cluster.
            "--use-service-account-credentials".to_owned(),
            format!("--service-account-private-key-file={}", self.path(file::TOKEN_KEY)),
            format!("--root-ca-file={}", self.path(file::AUTHORITY)),
        ]);
        flags
    }

    fn scheduler(&self) -> Vec<String> {
        let mut flags = self.serving(self.ports.scheduler.number());
        flags.extend([
            format!("--kubeconfig={}", self.path(file::SCHEDULER_KUBECONFIG)),
            "--leader-elect=false".to_owned(),
        ]);
        flags
    }

    fn serving(&self, port: u16) -> Vec<String> {
        vec![
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            // The port is held by a socket of ours.
            "--permit-port-sharing".to_owned(),
            format!("--tls-cert-file={}", self.path(file::SERVER_CERTIFICATE)),
            format!("--tls-private-key-file={}", self.path(file::SERVER_KEY)),
            "--profiling=false".to_owned(),
        ]
    }
}
