//! The operator: watches into an index, verdicts out of it, writes of the leader, and the webhook.
//!
//! Data flows one way: `watch` puts what the cluster says into the `index`; `decide` plans again what has changed and
//! queues what is due; `write` and `details`, on the leader only, carry it out. The webhook (`admission`) reads the same
//! index on every replica. This file is the only place where they are wired.

pub mod admission;
mod conditions;
mod decide;
mod details;
mod dirty;
mod due;
mod failure;
pub mod index;
mod leadership;
mod learn;
mod lumigo;
mod metrics;
mod queue;
mod reload;
pub mod settings;
mod sources;
mod status;
mod watch;
mod workloads;
mod write;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_daemon::{Ready, admin};
use jiff::Timestamp;
use kube::Client;
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use due::{DetailsDue, Due};
pub use learn::{Learned, complete, learn};
pub use status::instrumented;

use crate::decide::Queues;
use crate::dirty::Dirty;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::settings::{Settings, SettingsError};

/// The index, as watches, planning and the webhook share it. Never held over an await.
pub type SharedIndex = Arc<RwLock<index::Index>>;

/// How long writes and admissions under way may take after the operator was told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

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
    let initial = options.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::from_file)?;
    let index: SharedIndex = Arc::new(RwLock::new(index::Index::new(&initial, &options.namespace)));
    let (metrics, dirty, synced) = (Metrics::new(), Dirty::default(), Ready::default());
    let queues =
        Queues { surgery: Queue::new(), details: Queue::new(), statuses: Queue::new(), lumigoes: Queue::new() };
    let tokens = lumigo::Tokens::default();
    let election = initial.leader_election.clone();
    let (settings, _) = tokio::sync::watch::channel(initial);

    let admin = listen(options.admin_listen, "health and metrics").await?;
    let webhook_listener = listen(options.webhook_listen, "the webhook").await?;
    let mut background = JoinSet::new();
    let stop = CancellationToken::new();
    background.spawn(admin::serve(admin, metrics.registry.clone(), synced.clone(), stop.clone().cancelled_owned()));

    let sink = watch::Sink {
        index: Arc::clone(&index),
        dirty: dirty.clone(),
        synced: synced.clone(),
        metrics: metrics.clone(),
    };
    let watches = watch::start(&client, &options.namespace, &sink);
    background.spawn(configure(Arc::clone(&index), dirty.clone(), settings.subscribe()));
    if let Some(path) = options.config.clone() {
        background.spawn(reload::run(path, settings.clone(), metrics.clone()));
    }

    let mut leadership = Leadership::join(client.clone(), &options.namespace, &options.identity, &election);
    // Writers lead only once everything is known: half a picture would take devices off.
    let (leads, writes) = tokio::sync::watch::channel(false);
    background.spawn(lead(leadership.leads.clone(), synced.clone(), leads, metrics.clone()));

    let webhook = admission::Webhook {
        options: admission::Options {
            target: options.webhook,
            namespace: options.namespace.clone(),
            service_account: options.service_account,
        },
        index: Arc::clone(&index),
        synced: synced.clone(),
        leader: writes.clone(),
        settings: settings.subscribe(),
        metrics: metrics.with_registry(admission::AdmissionMetrics::new),
    };
    let mut webhook = tokio::spawn(webhook.run(client.clone(), webhook_listener, shutdown.clone()));

    let (events, recorder) = write::Events::new(client.clone(), queues.surgery.clone());
    let told_all = CancellationToken::new();
    let recorder = tokio::spawn(recorder.run(told_all.clone()));
    let reader = lumigo::Reader {
        client: client.clone(),
        index: Arc::clone(&index),
        dirty: dirty.clone(),
        tokens: tokens.clone(),
        metrics: metrics.clone(),
    };
    background.spawn(reader.run());
    let files = lumigo::Files {
        index: Arc::clone(&index),
        tokens: tokens.clone(),
        path: options.namespaces_file,
        metrics: metrics.clone(),
    };
    background.spawn(files.run(synced.clone()));
    let planner = decide::Planner {
        index: Arc::clone(&index),
        dirty: dirty.clone(),
        tokens: tokens.clone(),
        queues: queues.clone(),
        events: events.clone(),
        leader: writes.clone(),
    };
    background.spawn(planner.run());
    background.spawn(sources::run(Arc::clone(&index), events.clone(), writes.clone()));
    let mut writers = write::Writer {
        index: Arc::clone(&index),
        dirty: dirty.clone(),
        queue: queues.surgery.clone(),
        workloads: workloads::Workloads::new(client.clone()),
        events: events.clone(),
        leader: writes.clone(),
        metrics: metrics.clone(),
    }
    .start(&shutdown);
    let mut stewards = lumigo::Steward {
        index: Arc::clone(&index),
        tokens,
        dirty: dirty.clone(),
        queues: queues.clone(),
        client: client.clone(),
        leader: writes.clone(),
        metrics: metrics.clone(),
    }
    .start(&shutdown);
    let mut keepers =
        details::Keeper { index, dirty, queues, client, events, leader: writes, metrics }.start(&shutdown);

    info!(namespace = options.namespace, "the operator runs");
    let ended = tokio::select! {
        // The webhook ends too once it is told to stop, which is no failure then.
        biased;
        () = shutdown.cancelled() => Ok(()),
        () = leadership.ended() => Err(OperatorError::Ended("the election")),
        result = &mut webhook => {
            if let Ok(Err(error)) = result {
                tracing::error!(%error, "the webhook failed");
            }
            Err(OperatorError::Ended("the webhook"))
        }
    };
    info!("stopping");
    shutdown.cancel();
    drop(watches);
    let finish = async {
        while writers.join_next().await.is_some() {}
        while keepers.join_next().await.is_some() {}
        while stewards.join_next().await.is_some() {}
        told_all.cancel();
        // What it could not write it has told.
        let _ = recorder.await;
        if !webhook.is_finished() {
            // How it ended no longer matters.
            let _ = webhook.await;
        }
    };
    if tokio::time::timeout(STOP_DEADLINE, finish).await.is_err() {
        warn!("gave up on work that was still under way");
    }
    stop.cancel();
    background.shutdown().await;
    drop((writers, keepers, stewards));
    if tokio::time::timeout(STOP_DEADLINE, leadership.leave()).await.is_err() {
        warn!("cannot give the lease back; it runs out by itself");
    }
    ended
}

async fn listen(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, OperatorError> {
    TcpListener::bind(address).await.map_err(|source| OperatorError::Listen { address, purpose, source })
}

/// Hands changed settings to the index.
async fn configure(index: SharedIndex, dirty: Dirty, mut settings: tokio::sync::watch::Receiver<Settings>) {
    while settings.changed().await.is_ok() {
        let settings = settings.borrow_and_update().clone();
        let change = index.write().configure(&settings, Timestamp::now());
        dirty.mark(change);
    }
}

/// Tells writers that they lead: while the lease is held, once every first list is in.
async fn lead(
    mut held: tokio::sync::watch::Receiver<bool>,
    synced: Ready,
    leads: tokio::sync::watch::Sender<bool>,
    metrics: Metrics,
) {
    synced.wait().await;
    info!("every list is in");
    loop {
        let holds = *held.borrow_and_update();
        metrics.leader.set(i64::from(holds));
        if leads.send_replace(holds) != holds {
            info!(leader = holds, "{}", if holds { "this replica writes" } else { "another replica writes" });
        }
        if held.changed().await.is_err() {
            leads.send_replace(false);
            return;
        }
    }
}
