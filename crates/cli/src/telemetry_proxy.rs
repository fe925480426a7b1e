//! `epiphyte telemetry-proxy`: runs the Collectors that telemetry goes through.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::names::{NAMESPACES_FILE, NAMESPACES_FILE_VARIABLE};
use epiphyte_telemetry_proxy::Access;
use tokio_util::sync::CancellationToken;

use crate::{logs, stop};

/// Run the telemetry proxy: it keeps two OpenTelemetry Collectors at work on what the operator says.
///
/// Telemetry goes on under the token that it came with; the Kubernetes Events of monitored namespaces are collected. Runs in a pod
/// beside the operator, or anywhere with a kubeconfig.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Settings file (YAML), read at the start.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File in which the operator lists the namespaces to monitor; tokens.json is beside it.
    #[arg(
        long,
        value_name = "FILE",
        env = NAMESPACES_FILE_VARIABLE,
        default_value = NAMESPACES_FILE
    )]
    namespaces_file: PathBuf,
    /// The OpenTelemetry Collector's program.
    #[arg(long, value_name = "PROGRAM", default_value = "/otelcol")]
    collector: PathBuf,
    /// Folder for configurations and tokens, best in memory; others are locked out.
    #[arg(long, value_name = "FOLDER", default_value = "/run/epiphyte")]
    run_dir: PathBuf,
    /// Folder for what waits for being sent; others are locked out.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/epiphyte/queue")]
    queue_dir: PathBuf,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:13133")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    logs: logs::LogArguments,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    logs::start(&arguments.logs, logs::USUAL)?;
    // As for all our programs: a kubeconfig where one is named, else the pod's service account.
    let is_named = std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty());
    let is_in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let options = epiphyte_telemetry_proxy::Options {
        config: arguments.config,
        namespaces_file: arguments.namespaces_file,
        collector: arguments.collector,
        access: if is_named || !is_in_pod { Access::Kubeconfig } else { Access::ServiceAccount },
        run_folder: arguments.run_dir,
        queue_folder: arguments.queue_dir,
        admin_listen: arguments.admin_listen,
    };
    // The work is the Collectors'.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        stop::on_signal(&shutdown)?;
        epiphyte_telemetry_proxy::run(options, shutdown).await.context("the telemetry proxy stopped")
    })
}
