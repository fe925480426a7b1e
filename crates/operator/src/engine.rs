//! What an operator runs, with or without a webhook: watches into the index, planning, writers, the election.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_daemon::Ready;
use jiff::Timestamp;
use kube::Client;
use parking_lot::RwLock;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::decide::Queues;
use crate::dirty::Dirty;
use crate::index::Index;
use crate::leadership::Leadership;
use crate::lumigo::{self, Tokens};
use crate::metrics::Metrics;
use crate::purpose::Purpose;
use crate::queue::Queue;
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use crate::stuck::Stuck;
use crate::workloads::Workloads;
use crate::{SharedIndex, decide, details, reload, sources, watch, write};

/// How long writes under way may take after the engine was told to stop.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How an engine is run.
pub(crate) struct Setup {
    /// The system namespace.
    pub(crate) namespace: String,
    /// Name in the election; no other replica may have it.
    pub(crate) identity: String,
    /// The settings at the start.
    pub(crate) settings: Settings,
    /// The file that they are read from again when it changes.
    pub(crate) config: Option<PathBuf>,
    pub(crate) purpose: Purpose,
    pub(crate) election: Election,
}

/// Whether other replicas may be at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Election {
    /// They may: who holds the lease writes.
    Join,
    /// None can be.
    Alone,
}

/// A running engine.
pub(crate) struct Engine {
    pub(crate) index: SharedIndex,
    pub(crate) synced: Ready,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Sender<Settings>,
    /// What the Secrets of Lumigoes hold.
    pub(crate) tokens: Tokens,
    /// Whether this replica writes.
    pub(crate) writes: Receiver<bool>,
    pub(crate) stuck: Stuck,
    /// Cancelled once the mark says that uninstalling is over but for the remains of the installation.
    pub(crate) over: CancellationToken,
    /// Tells workers to stop.
    stop: CancellationToken,
    leadership: Leadership,
    watches: JoinSet<()>,
    background: JoinSet<()>,
    workers: Vec<JoinSet<()>>,
    recorder: JoinHandle<()>,
    /// Tells the recorder that nothing more comes.
    told_all: CancellationToken,
}

impl Engine {
    /// Starts everything. It runs until it is stopped.
    pub(crate) fn start(client: &Client, setup: Setup) -> Self {
        let Setup { namespace, identity, settings: initial, config, purpose, election } = setup;
        let mut known = Index::new(&initial, &namespace);
        if purpose == Purpose::Uninstall {
            known.uninstall();
        }
        let index: SharedIndex = Arc::new(RwLock::new(known));
        let (metrics, dirty, synced) = (Metrics::new(), Dirty::default(), Ready::default());
        let queues =
            Queues { surgery: Queue::new(), details: Queue::new(), statuses: Queue::new(), lumigoes: Queue::new() };
        let tokens = Tokens::default();
        let (stuck, over, stop) = (Stuck::default(), CancellationToken::new(), CancellationToken::new());
        let elections = initial.leader_election.clone();
        let (settings, _) = channel(initial);
        let mut background = JoinSet::new();

        let sink = watch::Sink {
            index: Arc::clone(&index),
            dirty: dirty.clone(),
            synced: synced.clone(),
            metrics: metrics.clone(),
            purpose,
            over: over.clone(),
        };
        let watches = watch::start(client, &namespace, &sink);
        background.spawn(configure(Arc::clone(&index), dirty.clone(), settings.subscribe()));
        if let Some(path) = config {
            background.spawn(reload::run(path, settings.clone(), metrics.clone()));
        }

        let leadership = match election {
            Election::Join => Leadership::join(client.clone(), &namespace, &identity, &elections, synced.clone()),
            Election::Alone => Leadership::alone(),
        };
        // Writers lead only once everything is known: half a picture would take devices off.
        let (leads, writes) = channel(false);
        background.spawn(lead(leadership.leads.clone(), synced.clone(), leads, metrics.clone()));

        let (events, recorder) = write::Events::new(client.clone(), queues.surgery.clone());
        let told_all = CancellationToken::new();
        let recorder = tokio::spawn(recorder.run(told_all.clone()));
        // The uninstaller has no use for tokens, nor for collectors: it is to see Lumigoes out.
        if purpose == Purpose::Operate {
            let reader = lumigo::Reader {
                client: client.clone(),
                index: Arc::clone(&index),
                dirty: dirty.clone(),
                tokens: tokens.clone(),
                metrics: metrics.clone(),
            };
            background.spawn(reader.run());
            let scheduler = Scheduler {
                client: client.clone(),
                namespace,
                index: Arc::clone(&index),
                dirty: dirty.clone(),
                settings: settings.subscribe(),
                leader: writes.clone(),
                metrics: metrics.clone(),
            };
            background.spawn(scheduler.run());
        }
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
        let writers = write::Writer {
            index: Arc::clone(&index),
            dirty: dirty.clone(),
            queue: queues.surgery.clone(),
            workloads: Workloads::new(client.clone()),
            events: events.clone(),
            leader: writes.clone(),
            metrics: metrics.clone(),
            stuck: stuck.clone(),
        }
        .start(&stop);
        let stewards = lumigo::Steward {
            index: Arc::clone(&index),
            tokens: tokens.clone(),
            dirty: dirty.clone(),
            queues: queues.clone(),
            client: client.clone(),
            leader: writes.clone(),
            metrics: metrics.clone(),
        }
        .start(&stop);
        let keepers = details::Keeper {
            index: Arc::clone(&index),
            dirty,
            queues,
            client: client.clone(),
            events,
            leader: writes.clone(),
            metrics: metrics.clone(),
        }
        .start(&stop);

        Self {
            index,
            synced,
            metrics,
            settings,
            tokens,
            writes,
            stuck,
            over,
            stop,
            leadership,
            watches,
            background,
            workers: vec![writers, stewards, keepers],
            recorder,
            told_all,
        }
    }

    /// Waits for the end of the election, which is not to end while the engine runs.
    pub(crate) async fn ended(&mut self) {
        self.leadership.ended().await;
    }

    /// Finishes what is under way, within a deadline, together with `others` that end at the same time; then gives the
    /// lease back. Every receiver of `writes` elsewhere must be gone by then.
    pub(crate) async fn stop(mut self, others: impl Future<Output = ()>) {
        self.stop.cancel();
        drop(self.watches);
        let finish = async {
            for worker in &mut self.workers {
                while worker.join_next().await.is_some() {}
            }
            self.told_all.cancel();
            // What it could not write it has told.
            let _ = self.recorder.await;
            others.await;
        };
        if tokio::time::timeout(STOP_DEADLINE, finish).await.is_err() {
            warn!("gave up on work that was still under way");
        }
        self.background.shutdown().await;
        self.metrics.leader.set(0);
        drop((self.workers, self.writes));
        if tokio::time::timeout(STOP_DEADLINE, self.leadership.leave()).await.is_err() {
            warn!("cannot give the lease back; it runs out by itself");
        }
    }
}

/// Hands changed settings to the index.
async fn configure(index: SharedIndex, dirty: Dirty, mut settings: Receiver<Settings>) {
    while settings.changed().await.is_ok() {
        let settings = settings.borrow_and_update().clone();
        let change = index.write().configure(&settings, Timestamp::now());
        dirty.mark(change);
    }
}

/// Tells writers that they lead: while the lease is held, once every first list is in.
async fn lead(mut held: Receiver<bool>, synced: Ready, leads: Sender<bool>, metrics: Metrics) {
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
