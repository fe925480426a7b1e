//! Where the components serve.

use std::net::Ipv4Addr;

use crate::Result;
use crate::ports::Port;

/// The node's address, the same in every box: boxes do not see each other.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// Where pods send telemetry; whoever listens at [`OTLP_SOCKET`] gets it.
pub(super) const OTLP_PORT: u16 = 4318;
/// In the control plane's folder.
pub(super) const OTLP_SOCKET: &str = "otlp.sock";

/// The ports of a control plane; those of a node are reserved with or without one.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) api_server: Port,
    pub(super) controller_manager: Port,
    pub(super) scheduler: Port,
    /// Of the kubelet's health.
    pub(super) kubelet: Port,
    /// Of `kube-proxy`'s health.
    pub(super) kube_proxy: Port,
    /// Of the DNS server's readiness.
    pub(super) dns: Port,
}

impl Ports {
    pub(super) fn reserve() -> Result<Self> {
        Ok(Self {
            api_server: Port::reserve()?,
            controller_manager: Port::reserve()?,
            scheduler: Port::reserve()?,
            kubelet: Port::reserve()?,
            kube_proxy: Port::reserve()?,
            dns: Port::reserve()?,
        })
    }

    /// What a box lets in and out: its ports are the host's under the same numbers, and telemetry goes to a socket.
    pub(super) fn forwards(&self) -> Vec<String> {
        let all =
            [&self.api_server, &self.controller_manager, &self.scheduler, &self.kubelet, &self.kube_proxy, &self.dns];
        let inwards = all.map(|port| format!("host:127.0.0.1:{0}=127.0.0.1:{0}", port.number()));
        let outwards = format!("{ADDRESS}:{OTLP_PORT}=unix:{OTLP_SOCKET}");
        inwards.into_iter().chain([outwards]).collect()
    }
}
