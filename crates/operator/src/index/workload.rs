//! Workloads in the index.

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{Instrument, Workload};
use jiff::Timestamp;

use super::{Change, Index, ObjectKey, WorkloadKey};

/// A workload whose instrumentation has changed by other hands than the writer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The workload.
    pub key: WorkloadKey,
    /// What it was before; `None` if it is new.
    pub before: Option<Workload>,
}

impl Index {
    /// Puts a workload in. One with a controller is its owner's business and is not held.
    pub fn apply_workload(&mut self, workload: Workload) -> Change {
        let key = WorkloadKey::of(&workload);
        if workload.controlled {
            return self.delete_workload(&key);
        }
        let unchanged = self
            .workloads
            .get(&key)
            .is_some_and(|held| is_newer_or_same(held, &workload) || same_but_for_version(held, &workload));
        if unchanged {
            return Change::Nothing;
        }
        let held = self.workloads.insert(key.clone(), workload);
        self.note_transition(&key, held);
        Change::Workload(key)
    }

    /// Notes from here on whose instrumentation others change, or no longer does.
    pub fn note_transitions(&mut self, wanted: bool) {
        self.transitions = wanted.then(Vec::new);
    }

    /// What others have changed since the last time, if that is noted.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        self.transitions.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note_transition(&mut self, key: &WorkloadKey, before: Option<Workload>) {
        let (Some(transitions), Some(after)) = (&mut self.transitions, self.workloads.get(key)) else { return };
        // One that was replaced under its name has nothing to do with the one before.
        let before = before.filter(|before| before.uid == after.uid);
        let same = match &before {
            Some(before) => instruments(before).eq(instruments(after)),
            None => instruments(after).next().is_none(),
        };
        if !same {
            transitions.push(Transition { key: key.clone(), before });
        }
    }

    /// Takes a workload out.
    pub fn delete_workload(&mut self, key: &WorkloadKey) -> Change {
        match self.workloads.remove(key) {
            Some(_) => Change::Workload(key.clone()),
            None => Change::Nothing,
        }
    }

    /// The workloads of a kind, for a new list to drop those that are gone.
    pub fn workload_keys(&self, kind: WorkloadKind) -> Vec<ObjectKey> {
        let of_kind = self.workloads.keys().filter(|key| key.kind == kind);
        of_kind.map(|key| ObjectKey { namespace: key.namespace.clone(), name: key.name.clone() }).collect()
    }

    /// Notes what a write of ours made of a workload, before the watch tells.
    pub fn note_written(&mut self, workload: Workload, _now: Timestamp) -> Change {
        if !self.workloads.contains_key(&WorkloadKey::of(&workload)) {
            return Change::Nothing;
        }
        let noted = self.transitions.take();
        let change = self.apply_workload(workload);
        self.transitions = noted;
        change
    }
}

/// What is on, container by container.
fn instruments(workload: &Workload) -> impl Iterator<Item = (&str, Instrument)> {
    let pod = &workload.pod;
    pod.containers.iter().filter_map(|container| Some((&*container.name, pod.instrument(container)?)))
}

/// Whether what is held was written after what comes in: an event that was under way while we wrote.
fn is_newer_or_same(held: &Workload, coming: &Workload) -> bool {
    let version = |workload: &Workload| workload.resource_version.parse::<u64>().ok();
    held.uid == coming.uid && version(held).zip(version(coming)).is_some_and(|(held, coming)| held >= coming)
}

fn same_but_for_version(held: &Workload, coming: &Workload) -> bool {
    let Workload {
        kind,
        namespace,
        name,
        uid,
        resource_version: _,
        generation,
        created,
        deleting,
        controlled,
        annotation,
        label,
        companions,
        delivery,
        replacement,
        pod,
    } = held;
    *kind == coming.kind
        && *namespace == coming.namespace
        && *name == coming.name
        && *uid == coming.uid
        && *generation == coming.generation
        && *created == coming.created
        && *deleting == coming.deleting
        && *controlled == coming.controlled
        && *annotation == coming.annotation
        && *label == coming.label
        && *companions == coming.companions
        && *delivery == coming.delivery
        && *replacement == coming.replacement
        && *pod == coming.pod
}
