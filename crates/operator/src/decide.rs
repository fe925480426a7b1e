//! From the index to the queues: what has changed is planned again, and what is due is queued for the writers.

use std::collections::HashSet;
use std::sync::Arc;

use epiphyte_api::Severity;
use epiphyte_plan::{Decision, Finding, GateState, Part, Replacement, Verdict, Workload};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::SharedIndex;
use crate::index::{Change, DetailsFact, Index, WorkloadKey};
use crate::queue::Queue;

/// What has to be planned again. Watches mark, planning takes.
#[derive(Clone, Default)]
pub(crate) struct Dirty(Arc<(Mutex<Marks>, Notify)>);

#[derive(Default)]
struct Marks {
    everything: bool,
    namespaces: HashSet<Box<str>>,
    workloads: HashSet<WorkloadKey>,
}

impl Dirty {
    /// Marks what a change concerns.
    pub(crate) fn mark(&self, change: Change) {
        let (marks, notify) = &*self.0;
        let mut held = marks.lock();
        match change {
            Change::Nothing => return,
            Change::Workload(key) => {
                held.workloads.insert(key);
            }
            Change::Namespace(namespace) => {
                held.namespaces.insert(namespace);
            }
            Change::Everything => held.everything = true,
        }
        drop(held);
        notify.notify_one();
    }

    fn take(&self) -> Marks {
        std::mem::take(&mut self.0.0.lock())
    }

    async fn marked(&self) {
        self.0.1.notified().await;
    }
}

impl Marks {
    fn workloads(self, index: &Index) -> Vec<WorkloadKey> {
        if self.everything {
            return index.workloads().map(|(key, _)| key.clone()).collect();
        }
        let in_namespaces = index
            .workloads()
            .filter(|_| !self.namespaces.is_empty())
            .filter(|(key, _)| self.namespaces.contains(&key.namespace))
            .map(|(key, _)| key.clone());
        let mut keys: HashSet<WorkloadKey> = in_namespaces.collect();
        keys.extend(self.workloads);
        keys.into_iter().collect()
    }
}

/// What is due for a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The template is not as the verdict says.
    pub surgery: bool,
    /// What its `InstrumentedApplication` needs.
    pub details: DetailsDue,
    /// Findings that somebody has to act on.
    pub warnings: Vec<Finding>,
}

/// What an `InstrumentedApplication` needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetailsDue {
    /// Nothing.
    #[default]
    Nothing,
    /// To be created with a request.
    Ask,
    /// To be asked anew: the template's images have changed.
    AskAgain,
    /// To be deleted: the mark is gone.
    Delete,
    /// To be owned by its workload.
    Adopt,
    /// Another status.
    Status,
}

impl Due {
    /// Works out what is due.
    pub fn of(index: &Index, workload: &Workload) -> Self {
        let verdict = index.plan(workload, Some(workload));
        let details = index.details(&WorkloadKey::of(workload));
        Self {
            surgery: differs(workload, &verdict),
            details: details_due(workload, &verdict, details),
            warnings: warnings(&verdict),
        }
    }
}

/// Whether the template is not as the verdict says. What is on and by which delivery counts, never its bytes.
pub fn differs(workload: &Workload, verdict: &Verdict) -> bool {
    if workload.replacement == Replacement::Immutable {
        return false;
    }
    let pod = &workload.pod;
    let mut injected = false;
    let containers = pod.containers.iter().any(|container| {
        let decision = verdict.decision(&container.name);
        injected |= match decision {
            Decision::On(instrument) => instrument == epiphyte_plan::Instrument::Injector,
            Decision::Keep => container.injected,
            Decision::Off => false,
        };
        match decision {
            Decision::On(instrument) => pod.instrument(container) != Some(instrument),
            Decision::Off => container.is_ours(),
            Decision::Keep => false,
        }
    });
    let kept = verdict.containers.iter().any(|verdict| verdict.decision == Decision::Keep);
    let left_over = pod.volume == Part::Ours || pod.init_container == Part::Ours;
    containers || (left_over && !injected && !kept)
}

fn details_due(workload: &Workload, verdict: &Verdict, details: Option<&DetailsFact>) -> DetailsDue {
    let Some(details) = details else {
        let ask = verdict.wants_details() && !workload.deleting;
        return if ask { DetailsDue::Ask } else { DetailsDue::Nothing };
    };
    if verdict.marked.state == GateState::Fails {
        return DetailsDue::Delete;
    }
    if verdict.wants_details() && is_outdated(workload, details) {
        return DetailsDue::AskAgain;
    }
    if details.owner_uid.is_none() {
        return DetailsDue::Adopt;
    }
    let wanted = crate::details::status_of(workload, verdict, details.generation);
    if crate::index::status_digest(&wanted) == details.status { DetailsDue::Nothing } else { DetailsDue::Status }
}

/// Whether the object speaks of other images than the template: what was asked no longer matches it, or what was seen ran
/// another image that nobody has asked about yet.
fn is_outdated(workload: &Workload, details: &DetailsFact) -> bool {
    let containers = &workload.pod.containers;
    let asked = |name: &str| details.request.iter().find(|(asked, _)| &**asked == name).map(|(_, image)| &**image);
    if !details.request.is_empty() {
        return containers.iter().any(|container| asked(&container.name) != Some(&*container.image));
    }
    containers.iter().any(|container| {
        let (seen, _) = details.details.of(&container.name);
        seen.and_then(|seen| seen.image.as_deref()).is_some_and(|image| image != &*container.image)
    })
}

fn warnings(verdict: &Verdict) -> Vec<Finding> {
    let settled = verdict.containers.iter().map(|container| {
        let finding = container.settled_by();
        let about = finding.about.map_or_else(|| container.name.to_string(), |about| format!("{}: {about}", container.name));
        Finding::about(finding.reason, about)
    });
    let mut warnings: Vec<Finding> = Vec::new();
    for finding in verdict.findings.iter().cloned().chain(settled) {
        let told = warnings.iter().any(|warning| warning.reason == finding.reason && warning.about == finding.about);
        let by_workload = verdict.findings.iter().any(|known| known.reason == finding.reason);
        let is_container_copy = by_workload && !verdict.findings.contains(&finding);
        if finding.reason.severity() == Severity::Warning && !told && !is_container_copy {
            warnings.push(finding);
        }
    }
    warnings
}

/// The queues that planning fills.
#[derive(Clone)]
pub(crate) struct Queues {
    /// Workloads whose template is to be changed.
    pub(crate) surgery: Queue<WorkloadKey>,
    /// Workloads that have something to be reported: details, status, Events.
    pub(crate) reports: Queue<WorkloadKey>,
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
        if due.details != DetailsDue::Nothing || !due.warnings.is_empty() {
            queues.reports.push(key);
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
