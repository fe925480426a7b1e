//! The writer: performs surgery on a fresh read of each queued workload. Active on the leader only.

mod events;
mod tell;

use std::sync::Arc;

use epiphyte_plan::{Manifest, Workload};
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub(crate) use events::{Events, Report, Subject};
pub(crate) use tell::{By, Outcome, changed, immutable};

use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::failure::Failure;
use crate::index::WorkloadKey;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::stuck::Stuck;
use crate::workloads::Workloads;

/// Workloads that are written at the same time.
const WORKERS: usize = 8;

/// Performs surgery.
pub(crate) struct Writer {
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) queue: Queue<WorkloadKey>,
    pub(crate) workloads: Workloads,
    pub(crate) events: Events,
    pub(crate) leader: watch::Receiver<bool>,
    pub(crate) metrics: Metrics,
    pub(crate) stuck: Stuck,
}

impl Writer {
    /// Starts the workers. Each ends with what it has in hand once told to stop.
    pub(crate) fn start(self, shutdown: &CancellationToken) -> JoinSet<()> {
        let writer = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let writer = Arc::clone(&writer);
            let shutdown = shutdown.clone();
            workers.spawn(async move {
                while let Some(key) = shutdown.run_until_cancelled(writer.queue.next()).await {
                    writer.handle(&key).await;
                    writer.metrics.queue.set(i64::try_from(writer.queue.len()).unwrap_or(i64::MAX));
                }
            });
        }
        workers
    }

    async fn handle(&self, key: &WorkloadKey) {
        // Whoever leads next plans everything anew.
        if !*self.leader.borrow() {
            return self.queue.done(key);
        }
        match self.operate(key).await {
            Ok(outcome) => {
                self.metrics.written("workload", outcome.as_str());
                self.stuck.forget(key);
                self.queue.done(key);
            }
            Err(Failure::Gone) => {
                self.stuck.forget(key);
                self.queue.done(key);
            }
            Err(failure) => {
                self.stuck.note(key, &failure);
                self.metrics.written("workload", failure.category());
                match failure {
                    Failure::Conflict(_) => debug!(workload = %key, %failure, "trying again"),
                    _ => {
                        warn!(workload = %key, category = failure.category(), %failure, "cannot change the workload; trying again");
                        self.report_failure(key, &failure);
                    }
                }
                self.queue.retry(key, failure.backoff());
            }
        }
    }

    async fn operate(&self, key: &WorkloadKey) -> Result<Outcome, Failure> {
        let known = self.index.read().workload(key).map(|workload| workload.resource_version.clone());
        let mut object = self.workloads.get(key, &known.ok_or(Failure::Gone)?).await?;
        let before = read(&object, key)?;
        let (verdict, rendering) = {
            let index = self.index.read();
            (index.plan(&before, Some(&before)), index.rendering(&before))
        };
        let operation = epiphyte_surgery::operate(key.kind, &mut object, &verdict, &rendering)
            .map_err(|error| Failure::Rejected(error.to_string()))?;
        if operation.patch.is_empty() || !*self.leader.borrow() {
            return Ok(Outcome::Nothing);
        }
        let patch = epiphyte_surgery::with_resource_version(operation.patch, &before.resource_version);
        let after = self.workloads.patch(key, patch).await?;
        let outcome = Outcome::between(Some(&before), &after);
        info!(workload = %key, generation = after.generation, "{} instrumentation", outcome.as_str());
        if let Some(report) = tell::changed(By::Controller, outcome, &after, &verdict) {
            self.events.tell(&Subject::workload(key, &after.uid), &report);
        }
        // Where this is the first to tell of the write, the watch will not tell of it again.
        let change = self.index.write().note_written(after, Timestamp::now());
        self.dirty.mark(change);
        Ok(outcome)
    }

    fn report_failure(&self, key: &WorkloadKey, failure: &Failure) {
        let (uid, report) = {
            let index = self.index.read();
            let Some(workload) = index.workload(key) else { return };
            let verdict = index.plan(workload, Some(workload));
            (workload.uid.clone(), tell::failed(workload, &verdict, failure))
        };
        self.events.tell(&Subject::workload(key, &uid), &report);
    }
}

/// Reads a raw object as planning sees it.
fn read(object: &Value, key: &WorkloadKey) -> Result<Workload, Failure> {
    let manifest =
        Manifest::deserialize(object).map_err(|error| Failure::Rejected(format!("cannot be read: {error}")))?;
    Ok(manifest.into_workload(key.kind))
}
