//! `epiphyte operator`: runs the operator, in a cluster or beside one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::names::{NAMESPACES_FILE, NAMESPACES_FILE_VARIABLE};
use epiphyte_operator::admission::{Target, WebhookUrl};
use tokio_util::sync::CancellationToken;

use crate::engine::settings;
use crate::quickstart::{self, QuickstartArguments};
use crate::uninstall::{self, Place, UninstallArguments};
use crate::{cluster, logs, stop};

/// Run the operator: it adds and removes instrumentation as marks, runtime details and collectors say.
///
/// Runs in a pod, or anywhere with a kubeconfig: then give --webhook-url, by which the API server reaches this machine.
#[derive(Args)]
#[command(after_long_help = uninstall::HELP)]
pub(crate) struct Arguments {
    /// The system namespace: collectors, lease and certificate are there, and it is never instrumented.
    #[arg(long, env = "EPIPHYTE_NAMESPACE", default_value = "odigos-system")]
    namespace: String,
    /// Settings file (YAML); a change of it takes effect without a restart.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    admin_listen: SocketAddr,
    /// Address that the webhook listens on.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    webhook_listen: SocketAddr,
    /// Outside the cluster: the URL by which the API server reaches the webhook, such as https://127.0.0.1:9443. The
    /// webhook configuration is then made by the operator, and removed when it stops.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<WebhookUrl>,
    /// In the cluster: the Service in front of the webhook, in the system namespace.
    #[arg(long, value_name = "NAME", default_value = "epiphyte-webhook", conflicts_with = "webhook_url")]
    webhook_service: String,
    /// The operator's own service account in the system namespace, whose writes are not sent to the webhook.
    #[arg(long, value_name = "NAME", env = "EPIPHYTE_SERVICE_ACCOUNT")]
    service_account: Option<String>,
    /// File that tells the telemetry proxy beside the operator which namespaces to monitor; tokens.json goes beside it.
    #[arg(
        long,
        value_name = "FILE",
        env = NAMESPACES_FILE_VARIABLE,
        default_value = NAMESPACES_FILE
    )]
    namespaces_file: PathBuf,
    #[command(flatten)]
    quickstart: QuickstartArguments,
    #[command(flatten)]
    uninstall: UninstallArguments,
    #[command(flatten)]
    logs: logs::LogArguments,
}

/// What uninstalling logs: it says itself how far it is, and which workloads are stuck.
const UNINSTALLING_LOGS: &str = "warn,epiphyte_operator::write=error";

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // The operator waits far more than it computes; admission has threads of its own.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    if arguments.uninstall.uninstall {
        logs::start(&arguments.logs, UNINSTALLING_LOGS)?;
        let settings = settings(arguments.config.as_deref())?;
        let place = Place { namespace: arguments.namespace, identity: identity(), settings };
        return runtime.block_on(uninstall::run(&arguments.uninstall, place));
    }
    if let Some(monitored) = arguments.quickstart.quickstart {
        logs::start(&arguments.logs, "warn")?;
        return runtime.block_on(quickstart::run(monitored, arguments.quickstart.lumigo_token, &arguments.namespace));
    }
    logs::start(&arguments.logs, logs::USUAL)?;
    let namespace = arguments.namespace;
    let service_account = arguments.service_account.map(|name| format!("system:serviceaccount:{namespace}:{name}"));
    let webhook = match arguments.webhook_url {
        Some(url) => Target::Url(url),
        None => Target::Service { namespace: namespace.clone(), name: arguments.webhook_service },
    };
    let options = epiphyte_operator::Options {
        namespace,
        identity: identity(),
        config: arguments.config,
        admin_listen: arguments.admin_listen,
        webhook_listen: arguments.webhook_listen,
        webhook,
        service_account,
        namespaces_file: arguments.namespaces_file,
    };
    runtime.block_on(async {
        let client = cluster::connect().await?;
        let shutdown = CancellationToken::new();
        stop::on_signal(&shutdown)?;
        epiphyte_operator::run(client, options, shutdown).await.context("the operator stopped")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A name that no other replica has, nor this one after a restart.
fn identity() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{host}-{}-{:x}", std::process::id(), started.as_micros())
}
