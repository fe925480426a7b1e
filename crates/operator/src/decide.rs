//! From the index to the queues: what has changed is planned again, and what is due is queued for the writers.

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::SharedIndex;
use crate::dirty::{Dirty, Marks};
use crate::due::{DetailsDue, Due};
use crate::index::{Change, WorkloadKey};
use crate::queue::Queue;

/// The queues that planning fills.
#[derive(Clone)]
pub(crate) struct Queues {
    /// Workloads whose template is to be changed.
    pub(crate) surgery: Queue<WorkloadKey>,
    /// Workloads whose `InstrumentedApplication` has to be made or changed, or that somebody has to act on.
    pub(crate) details: Queue<WorkloadKey>,
    /// Workloads of whose `InstrumentedApplication` only the status has to be written.
    pub(crate) statuses: Queue<WorkloadKey>,
}

/// Plans again whatever is marked dirty, on the leader only: a replica that comes to lead marks everything.
pub(crate) async fn run(index: SharedIndex, dirty: Dirty, queues: Queues, mut leader: watch::Receiver<bool>) {
    loop {
        let loss_counts_at = index.read().collectors().loss_counts_at();
        tokio::select! {
            () = dirty.marked() => {}
            Ok(()) = leader.changed() => {
                if *leader.borrow_and_update() {
                    dirty.mark(Change::Everything);
                }
            }
            () = until(loss_counts_at) => {
                let change = index.write().pass_time(Timestamp::now());
                dirty.mark(change);
            }
        }
        if *leader.borrow() {
            plan(&index, dirty.take(), &queues);
        }
    }
}

fn plan(index: &SharedIndex, marks: Marks, queues: &Queues) {
    let index = index.read();
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
