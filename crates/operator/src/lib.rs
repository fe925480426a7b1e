//! The operator: watches into an index, verdicts out of it, writes of the leader, and the webhook.
//!
//! Data flows one way: `watch` puts what the cluster says into the `index`; `decide` plans again what has changed and
//! queues what is due; `write` and `details`, on the leader only, carry it out. The webhook (`admission`) reads the same
//! index on every replica. They are wired in two places only: `engine` has what the uninstaller runs too, and this file what
//! makes an operator of it.

pub mod admission;
mod conditions;
mod decide;
mod details;
mod dirty;
mod due;
mod engine;
mod failure;
pub mod index;
mod leadership;
mod learn;
mod lumigo;
mod metrics;
mod purpose;
mod queue;
mod reload;
mod scheduler;
pub mod settings;
mod sources;
mod status;
mod stuck;
mod uninstall;
mod watch;
mod workloads;
mod write;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use epiphyte_daemon::admin;
use epiphyte_daemon::settings::SettingsError;
use kube::Client;
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use due::{DetailsDue, Due};
pub use failure::is_want_of_a_right;
pub use learn::{Learned, complete, learn};
pub use status::instrumented;
pub use stuck::Hindrance;
pub use uninstall::{Outlook, Uninstaller, UninstallerOptions};

use crate::engine::{Election, Engine, Setup};
use crate::purpose::Purpose;
use crate::settings::Settings;

/// The index, as watches, planning and the webhook share it. Never held over an await.
pub type SharedIndex = Arc<RwLock<index::Index>>;

/// How the operator is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The system namespace: collectors, lease and certificate are there, and it is never instrumented.
    pub namespace: String,
    /// Name of this replica in the election; no other may have it.
    pub identity: String,
    /// The settings file; defaults without one.
    pub config: Option<PathBuf>,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
    /// Where the webhook is served.
    pub webhook_listen: SocketAddr,
    /// Where the API server finds the webhook.
    pub webhook: admission::Target,
    /// User name of our own service account; `None` outside the cluster.
    pub service_account: Option<String>,
    /// Where the telemetry proxy reads which namespaces to monitor; the tokens to admit are written beside it.
    pub namespaces_file: PathBuf,
}

/// The operator cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The settings file is wrong at the start.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An address cannot be had.
    #[error("cannot listen on {address} for {purpose}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it was wanted for.
        purpose: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A part that must not end has ended.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Runs the operator until told to stop.
///
/// # Errors
/// What it cannot start without is missing, or a part of it ended. A cluster that cannot be reached, a missing
/// CustomResourceDefinition or a missing right is no error: they are told and waited for.
pub async fn run(client: Client, options: Options, shutdown: CancellationToken) -> Result<(), OperatorError> {
    let settings = options.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::from_file)?;
    let admin = listen(options.admin_listen, "health and metrics").await?;
    let webhook_listener = listen(options.webhook_listen, "the webhook").await?;
    let setup = Setup {
        namespace: options.namespace.clone(),
        identity: options.identity,
        settings,
        config: options.config,
        purpose: Purpose::Operate,
        election: Election::Join,
    };
    let mut engine = Engine::start(&client, setup);
    // They outlast the engine: what is asked of an operator that has nothing left to do is that it lives.
    let mut background = JoinSet::new();
    background.spawn(admin::serve(
        admin,
        engine.metrics.registry.clone(),
        engine.synced.clone(),
        std::future::pending(),
    ));

    let files = lumigo::Files {
        index: Arc::clone(&engine.index),
        tokens: engine.tokens.clone(),
        path: options.namespaces_file,
        metrics: engine.metrics.clone(),
    };
    background.spawn(files.run(engine.synced.clone()));

    let webhook = admission::Webhook {
        options: admission::Options {
            target: options.webhook,
            namespace: options.namespace.clone(),
            service_account: options.service_account,
        },
        index: Arc::clone(&engine.index),
        synced: engine.synced.clone(),
        leader: engine.writes.clone(),
        settings: engine.settings.subscribe(),
        metrics: engine.metrics.with_registry(admission::AdmissionMetrics::new),
    };
    let stop = CancellationToken::new();
    let mut webhook = tokio::spawn(webhook.run(client.clone(), webhook_listener, stop.clone()));

    info!(namespace = options.namespace, "the operator runs");
    let over = engine.over.clone();
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(Ended::Told),
        () = over.cancelled() => Ok(Ended::Over),
        () = engine.ended() => Err(OperatorError::Ended("the election")),
        result = &mut webhook => {
            if let Ok(Err(error)) = result {
                tracing::error!(%error, "the webhook failed");
            }
            Err(OperatorError::Ended("the webhook"))
        }
    };
    info!("stopping");
    stop.cancel();
    engine
        .stop(async {
            if !webhook.is_finished() {
                // How it ended no longer matters.
                let _ = webhook.await;
            }
        })
        .await;
    if ended? == Ended::Over {
        // Not the end of the process: whoever runs it would start another.
        info!("Epiphyte is uninstalled; this operator has nothing left to do and waits to be stopped");
        shutdown.cancelled().await;
    }
    Ok(())
}

/// Why the operator stops working.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was told to stop.
    Told,
    /// Epiphyte is uninstalled.
    Over,
}

async fn listen(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, OperatorError> {
    TcpListener::bind(address).await.map_err(|source| OperatorError::Listen { address, purpose, source })
}
