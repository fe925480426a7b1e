//! The operator as the demo runs it: the program, built like a release, outside the cluster.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use epiphyte_testbed::{ControlPlane, Guest};

use crate::demo::cluster::comes_true;

/// The user that the operator is to the API server, so that the audit log tells its writes from ours.
pub const USER: &str = "epiphyte-operator";

/// There is no telemetry proxy: the demo itself says when the collectors are ready.
const SETTINGS: &str = "scheduler: {enabled: false}\n";

/// Starts the operator and waits until it knows the cluster.
pub fn start<'a>(runtime: &tokio::runtime::Runtime, plane: &'a ControlPlane, program: &Path) -> Result<Guest<'a>> {
    let kubeconfig = plane.user(USER, &["system:masters"])?;
    let (admin, webhook) = (free_address()?, free_address()?);
    let settings = plane.folder().join("settings.yaml");
    std::fs::write(&settings, SETTINGS).context("cannot write the operator's settings")?;
    let mut command = Command::new(program);
    command.args(["operator", "--namespace=odigos-system", "--config"]).arg(settings);
    command.arg(format!("--admin-listen={admin}"));
    command.arg(format!("--webhook-listen={webhook}")).arg(format!("--webhook-url=https://{webhook}"));
    command.env("KUBECONFIG", kubeconfig);
    let operator = runtime.block_on(plane.run("operator", &command))?;
    comes_true("the operator is ready", || {
        if operator.pid().is_none() {
            let log = std::fs::read_to_string(operator.log()).unwrap_or_default();
            bail!("the operator ended:\n{}", log.trim());
        }
        Ok(is_ready(admin).map_err(|error| error.to_string()))
    })?;
    Ok(operator)
}

/// A port of this machine that nobody uses.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("a port has no address")
}

/// Asks `/readyz`.
fn is_ready(admin: SocketAddr) -> Result<()> {
    let patience = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&admin, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    if !head.starts_with("HTTP/1.0 200") && !head.starts_with("HTTP/1.1 200") {
        bail!("{}", body.trim());
    }
    Ok(())
}
