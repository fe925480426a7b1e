//! From the index to the queues: what has changed is planned again, and what is due is queued for the writers.

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::due::{DetailsDue, Due};
use crate::index::{Change, ObjectKey, Transition, WorkloadKey};
use crate::lumigo::{LumigoDue, Tokens};
use crate::queue::Queue;
use crate::write::{self, By, Events, Outcome, Subject};

/// The queues that planning fills.
#[derive(Clone)]
pub(crate) struct Queues {
    /// Workloads whose template is to be changed.
    pub(crate) surgery: Queue<WorkloadKey>,
    /// Workloads whose `InstrumentedApplication` has to be made or changed, or that somebody has to act on.
    pub(crate) details: Queue<WorkloadKey>,
    /// Workloads of whose `InstrumentedApplication` only the status has to be written.
    pub(crate) statuses: Queue<WorkloadKey>,
    /// Lumigoes that need something.
    pub(crate) lumigoes: Queue<ObjectKey>,
}

/// Plans again whatever is marked dirty, and fills the queues.
pub(crate) struct Planner {
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) tokens: Tokens,
    pub(crate) queues: Queues,
    pub(crate) events: Events,
    pub(crate) leader: watch::Receiver<bool>,
}

impl Planner {
    /// Plans on the leader only: a replica that comes to lead marks everything.
    pub(crate) async fn run(mut self) {
        loop {
            let loss_counts_at = self.index.read().collectors().loss_counts_at();
            tokio::select! {
                () = self.dirty.marked() => {}
                Ok(()) = self.leader.changed() => {
                    let leads = *self.leader.borrow_and_update();
                    // What changed before somebody led was for another to tell.
                    self.index.write().note_transitions(leads);
                    if leads {
                        self.dirty.mark(Change::Everything);
                    }
                }
                () = until(loss_counts_at) => {
                    let change = self.index.write().pass_time(Timestamp::now());
                    self.dirty.mark(change);
                }
            }
            if *self.leader.borrow() {
                self.announce();
                self.plan();
            }
        }
    }

    /// Tells of instrumentation that came or went in writes of others, by the webhook. What the writer has in hand is the
    /// writer's to tell.
    fn announce(&self) {
        let transitions = self.index.write().take_transitions();
        let index = self.index.read();
        for Transition { key, before } in transitions {
            let Some(after) = index.workload(&key).filter(|_| !self.queues.surgery.is_in_hand(&key)) else { continue };
            let verdict = index.plan(after, Some(after));
            let outcome = Outcome::between(before.as_ref(), after);
            if let Some(report) = write::changed(By::Webhook, outcome, after, &verdict) {
                self.events.tell(&Subject::workload(&key, &after.uid), &report);
            }
        }
    }

    fn plan(&self) {
        let (index, marks, queues) = (self.index.read(), self.dirty.take(), &self.queues);
        for lumigo in marks.lumigoes(&index) {
            let token = lumigo.fact.token.as_ref().and_then(|token| self.tokens.get(&lumigo.namespace, token));
            if LumigoDue::of(&index, lumigo, token) != LumigoDue::Nothing {
                queues.lumigoes.push(lumigo.key());
            }
        }
        for key in marks.workloads(&index) {
            let Some(workload) = index.workload(&key) else { continue };
            let due = Due::of(&index, workload);
            if due.surgery {
                queues.surgery.push(key.clone());
            }
            match due.details {
                DetailsDue::Status if due.warnings.is_empty() => queues.statuses.push(key),
                DetailsDue::Nothing if due.warnings.is_empty() => {}
                _ => queues.details.push(key),
            }
        }
    }
}

/// Sleeps until a moment of the wall clock; for ever without one.
async fn until(moment: Option<Timestamp>) {
    match moment {
        Some(moment) => {
            let wait = Timestamp::now().duration_until(moment).try_into().unwrap_or_default();
            tokio::time::sleep_until(Instant::now() + wait).await;
        }
        None => std::future::pending().await,
    }
}
