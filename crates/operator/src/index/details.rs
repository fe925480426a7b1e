//! `InstrumentedApplication`s in the index.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use epiphyte_api::InstrumentedApplicationStatus;
use epiphyte_plan::Details;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey, WorkloadKey};

/// What an `InstrumentedApplication` says, and what the operator needs to know to keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailsFact {
    /// Namespace and name of the object.
    pub key: ObjectKey,
    /// UID of the object.
    pub uid: Box<str>,
    /// Generation of the specification.
    pub generation: i64,
    /// Version of the object; an older one never replaces it.
    pub resource_version: Option<u64>,
    /// The workload that it is about.
    pub workload: Option<WorkloadKey>,
    /// Whether it names its workload as owner, by this UID.
    pub owner_uid: Option<Box<str>>,
    /// What planning is told.
    pub details: Details,
    /// Containers and images that the operator asked about.
    pub request: Box<[(Box<str>, Box<str>)]>,
    /// Digest of its status, to tell whether another is due; see [`status_digest`].
    pub status: u64,
}

impl Fact for DetailsFact {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        let change = self.workload.clone().map_or(Change::Nothing, Change::Workload);
        let stale = index.details.get(&self.key).is_some_and(|held| {
            held.uid == self.uid
                && held.resource_version.zip(self.resource_version).is_some_and(|(held, coming)| held >= coming)
        });
        if stale {
            return Change::Nothing;
        }
        index.details.insert(self.key.clone(), self);
        change
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        index.details.remove(key).and_then(|fact| fact.workload).map_or(Change::Nothing, Change::Workload)
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.details.keys().cloned().collect()
    }
}

/// A digest of what a status says, its times and the order of its lists aside.
pub fn status_digest(status: &InstrumentedApplicationStatus) -> u64 {
    let mut containers: Vec<_> = status
        .containers
        .iter()
        .map(|container| (&container.container_name, &container.verdict, &container.reason, &container.message))
        .collect();
    containers.sort_unstable();
    let mut conditions: Vec<_> = status
        .conditions
        .iter()
        .map(|it| (&it.type_, &it.status, &it.reason, &it.message, it.observed_generation))
        .collect();
    conditions.sort_unstable();
    let mut hasher = DefaultHasher::new();
    (containers, conditions).hash(&mut hasher);
    hasher.finish()
}
