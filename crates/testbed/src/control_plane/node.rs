//! The node in a box: what its container runtime, kubelet, proxy and DNS server are told.

mod config;
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) use tools::Tools;

use super::commands::Component;
use super::ports::{ADDRESS, Ports};
use crate::kubeconfig::write_private;
use crate::{Error, Result, debian, image, programs};

/// Its archive in the control plane's folder.
pub(super) const PAUSE_ARCHIVE: &str = "pause.tar";

/// The components of a node.
pub(super) const COMPONENTS: [Component; 4] =
    [Component::Containerd, Component::Dns, Component::KubeProxy, Component::Kubelet];

/// Why this machine can have no [node](super::Builder::with_node); nothing where it can. Tried out in the smallest way.
///
/// # Errors
/// When what tries it out cannot be built.
pub fn no_node() -> Result<Option<String>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Some("it takes root".to_owned()));
    }
    if let Err(error) = debian::is_this_system() {
        return Ok(Some(error.to_string()));
    }
    // An empty input ends it at once.
    let mut supervise = Command::new(programs::supervise()?);
    supervise.arg("--box").arg(std::env::temp_dir()).arg("epiphyte-").stdin(Stdio::null());
    let output = supervise.output().map_err(Error::file("run", supervise.get_program()))?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")))
}

/// The socket of the container runtime.
pub(super) fn runtime_socket(folder: &Path) -> PathBuf {
    folder.join("containerd.sock")
}

/// What a node is made of.
pub(super) struct Setup<'a> {
    pub(super) name: &'a str,
    /// The Kubernetes programs.
    pub(super) programs: &'a Path,
    pub(super) tools: &'a Tools,
    pub(super) folder: &'a Path,
    pub(super) ports: &'a Ports,
}

impl Setup<'_> {
    /// Writes the files that the commands name. The kubeconfigs are the control plane's matter.
    pub(super) fn write(&self) -> Result<()> {
        let (folder, ports) = (self.folder, self.ports);
        let write = |name: &str, content: &str| write_private(&folder.join(name), content.as_bytes());
        write("containerd.toml", &config::containerd(folder, self.tools))?;
        write("kubelet.json", &config::kubelet(folder, ports.kubelet.number()).to_string())?;
        write("Corefile", &config::dns(folder, ports.dns.number()))?;
        // No name server but the cluster's: nothing leads out of the box.
        write("resolv.conf", "")?;
        let networks = folder.join("cni");
        std::fs::create_dir(&networks).map_err(Error::file("create", &networks))?;
        write("cni/pods.conflist", &config::network().to_string())?;
        let pause = [(self.tools.pause.as_path(), "/supervise")];
        image::archive(&folder.join(PAUSE_ARCHIVE), config::PAUSE_IMAGE, &pause, &["/supervise", "pause"])
    }

    /// The program of a component and its arguments; nothing for what is not a node's.
    pub(super) fn command(&self, component: Component) -> Option<Vec<String>> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let program = |name: &str| self.programs.join(name).display().to_string();
        Some(match component {
            Component::Containerd => {
                let program = self.tools.program("containerd").display().to_string();
                vec![program, format!("--config={}", path("containerd.toml"))]
            }
            Component::Dns => vec![self.tools.dns.display().to_string(), format!("-conf={}", path("Corefile"))],
            Component::KubeProxy => vec![
                program("kube-proxy"),
                format!("--kubeconfig={}", path(config::PROXY_KUBECONFIG)),
                format!("--hostname-override={}", self.name),
                "--proxy-mode=iptables".to_owned(),
                // Left alone: the limits are the machine's, not the box's.
                "--conntrack-max-per-core=0".to_owned(),
                "--conntrack-tcp-timeout-established=0".to_owned(),
                "--conntrack-tcp-timeout-close-wait=0".to_owned(),
                format!("--healthz-bind-address=127.0.0.1:{}", self.ports.kube_proxy.number()),
            ],
            Component::Kubelet => vec![
                program("kubelet"),
                format!("--config={}", path("kubelet.json")),
                format!("--kubeconfig={}", path(config::KUBELET_KUBECONFIG)),
                format!("--hostname-override={}", self.name),
                format!("--node-ip={ADDRESS}"),
            ],
            _ => return None,
        })
    }
}

/// The users that the components of a node are, and the files of their kubeconfigs.
pub(super) fn users(name: &str) -> [(&'static str, String, &'static [&'static str]); 3] {
    [
        (config::KUBELET_KUBECONFIG, format!("system:node:{name}"), &["system:nodes"]),
        (config::PROXY_KUBECONFIG, "system:kube-proxy".to_owned(), &[]),
        (config::DNS_KUBECONFIG, "testbed-dns".to_owned(), &["system:masters"]),
    ]
}
