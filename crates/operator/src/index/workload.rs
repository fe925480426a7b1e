//! Workloads in the index.

use epiphyte_api::WorkloadKind;
use epiphyte_plan::Workload;
use jiff::Timestamp;

use super::{Change, Index, ObjectKey, WorkloadKey};

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
        self.workloads.insert(key.clone(), workload);
        Change::Workload(key)
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
        if self.workloads.contains_key(&WorkloadKey::of(&workload)) {
            self.apply_workload(workload)
        } else {
            Change::Nothing
        }
    }
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
