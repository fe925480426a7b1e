//! A node that goes down with all that runs on it, and comes up again.

use std::process::Command;

use super::{Component, ControlPlane};
use crate::Result;

/// Ends every process of a pod, as the end of a machine would.
const END_PODS: &str =
    "find /sys/fs/cgroup -path '*/kubepods*' -name cgroup.procs -exec cat {} + | sort -u | xargs -r kill -KILL";

impl ControlPlane {
    /// Ends container runtime, kubelet and all pods at once, and starts the two again: what a reboot of the node comes to for
    /// everybody who keeps anything on its disk.
    ///
    /// # Errors
    /// When one of them does not come up again.
    pub async fn reboot(&self) -> Result<()> {
        self.stop(Component::Kubelet).await?;
        self.stop(Component::Containerd).await?;
        let mut end = Command::new("/bin/sh");
        end.args(["-c", END_PODS]);
        self.run("reboot", &end).await?.ended().await?;
        self.start_component(Component::Containerd).await?;
        self.start_kubelet().await
    }
}
