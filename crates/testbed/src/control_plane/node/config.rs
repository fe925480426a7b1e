//! Configuration files of a node's components.

use std::path::Path;

use serde_json::{Value, json};

use super::{Tools, runtime_socket};
use crate::control_plane::ports::ADDRESS;

pub(super) const KUBELET_KUBECONFIG: &str = "kubelet.kubeconfig";
pub(super) const PROXY_KUBECONFIG: &str = "kube-proxy.kubeconfig";
pub(super) const DNS_KUBECONFIG: &str = "dns.kubeconfig";

/// What keeps the namespaces of a pod.
pub(super) const PAUSE_IMAGE: &str = "docker.io/epiphyte/pause:testbed";

/// Where pods have their addresses. Not the node's own network, since they are reached by routes.
const PODS: &str = "10.201.0.0/16";

pub(super) fn containerd(folder: &Path, tools: &Tools) -> String {
    let (root, folder, socket) = (tools.root.display(), folder.display(), runtime_socket(folder));
    let socket = socket.display();
    format!(
        r#"version = 2
[grpc]
address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
# The machine may not let us make a process more precious than we are.
restrict_oom_score_adj = true
sandbox_image = "{PAUSE_IMAGE}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{root}/usr/lib/cni"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{root}/usr/sbin/runc"
"#
    )
}

/// `KubeletConfiguration` of `kubelet.config.k8s.io/v1beta1`.
pub(super) fn kubelet(folder: &Path, healthz: u16) -> Value {
    let path = |name: &str| folder.join(name);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": false}, "x509": {"clientCAFile": path("ca.crt")}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": format!("unix://{}", runtime_socket(folder).display()),
        "volumePluginDir": path("volume-plugins"),
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": healthz,
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": path("resolv.conf"),
        // The machine's cgroups may be of version 1, and it may swap.
        "failCgroupV1": false,
        "failSwapOn": false,
        "cgroupDriver": "cgroupfs",
        "enforceNodeAllocatable": [],
        // However full the machine's disk is, nobody is evicted and no image is removed.
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // What the node offers is seen soon.
        "nodeStatusUpdateFrequency": "1s",
        "syncFrequency": "5s",
        // Containers that end start again soon, as often as they like.
        "featureGates": {"KubeletCrashLoopBackOffMax": true},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
    })
}

/// Each pod by a cable of its own, so that all that pods say to each other passes kube-proxy's rules.
pub(super) fn network() -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": "/var/lib/cni",
            },
        }],
    })
}

/// CoreDNS's `Corefile`.
pub(super) fn dns(folder: &Path, ready: u16) -> String {
    let kubeconfig = folder.join(DNS_KUBECONFIG);
    format!(
        "cluster.local:53 {{\n  errors\n  ready 127.0.0.1:{ready}\n  kubernetes cluster.local {{\n    kubeconfig {}\n  }}\n  cache 1\n}}\n",
        kubeconfig.display()
    )
}
