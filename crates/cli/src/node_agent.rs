//! `epiphyte node-agent`: runs the node agent, one on each node.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{cluster, logs, stop};

/// Run the node agent: it finds out what runs in containers, and gives agents to those that ask for a device.
///
/// Runs on each node, as root, with the host's processes in sight. Its folders have the same paths here and on the host.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the node.
    #[arg(long, value_name = "NAME", env = "NODE_NAME", required_unless_present = "clean")]
    node_name: Option<String>,
    /// The system namespace, in which it is told that Epiphyte is being uninstalled.
    #[arg(long, value_name = "NAMESPACE", env = "EPIPHYTE_NAMESPACE", default_value = "odigos-system")]
    system_namespace: String,
    /// The host's proc folder.
    #[arg(long, value_name = "FOLDER", default_value = "/proc")]
    proc: PathBuf,
    /// The kubelet's folder; its device-plugins and pod-resources are in it.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/kubelet")]
    kubelet_dir: PathBuf,
    /// Where the agent files come from: injector, java, node and python in it are copied to the host.
    #[arg(long, value_name = "FOLDER", default_value = "/agents")]
    agents: PathBuf,
    /// Where agent files are kept on the host, and mounted into containers from.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/epiphyte")]
    host_dir: PathBuf,
    /// Devices of each language: how many of its containers can be instrumented on this node at once.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    devices_per_kind: u32,
    /// URL (OTLP over HTTP) for the telemetry of containers that have a Lumigo token.
    #[arg(long, value_name = "URL", env = "LUMIGO_ENDPOINT")]
    lumigo_endpoint: Option<String>,
    /// URL (OTLP over HTTP) for the telemetry of containers that have none.
    #[arg(long, value_name = "URL", env = "EPIPHYTE_ENDPOINT")]
    endpoint: Option<String>,
    /// OpenTelemetry's program that instruments Go processes [default: go/otel-go-instrumentation among the agents].
    #[arg(long, value_name = "PROGRAM")]
    go_agent: Option<PathBuf>,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8082")]
    admin_listen: SocketAddr,
    /// Remove the files that node agents have left on the host, and end. For uninstalling: no container may use them.
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    logs: logs::LogArguments,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    logs::start(&arguments.logs, logs::USUAL)?;
    if arguments.clean {
        return epiphyte_node_agent::clean(&arguments.host_dir).context("cannot clean the host folder");
    }
    let options = epiphyte_node_agent::Options {
        node: arguments.node_name.unwrap_or_default(),
        system_namespace: arguments.system_namespace,
        proc_folder: arguments.proc,
        kubelet_folder: arguments.kubelet_dir,
        go_agent: arguments.go_agent.unwrap_or_else(|| arguments.agents.join("go/otel-go-instrumentation")),
        agents: arguments.agents,
        host_folder: arguments.host_dir,
        devices_per_kind: arguments.devices_per_kind,
        endpoints: epiphyte_node_agent::Endpoints { lumigo: arguments.lumigo_endpoint, tokenless: arguments.endpoint },
        admin_listen: arguments.admin_listen,
    };
    // The agent waits far more than it computes; scans and copies have threads of their own while they last.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let client = cluster::connect().await?;
        let shutdown = CancellationToken::new();
        stop::on_signal(&shutdown)?;
        epiphyte_node_agent::run(client, options, shutdown).await.context("the node agent stopped")
    })
}
