//! Lumigoes in the index.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use epiphyte_api::{InstrumentedResource, LumigoStatus};
use epiphyte_plan::LumigoFact;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// What a Lumigo says, and what the operator needs to know to keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LumigoRecord {
    /// Namespace of the Lumigo.
    pub namespace: Box<str>,
    /// UID of the object.
    pub uid: Box<str>,
    /// Version of the object; an older one never replaces it.
    pub resource_version: Option<u64>,
    /// Generation of the specification.
    pub generation: i64,
    /// Whether our finalizer is on it.
    pub has_finalizer: bool,
    /// Whether Kubernetes Events of the namespace are wanted.
    pub wants_events: bool,
    /// Digest of its status, to tell whether another is due; see [`lumigo_status_digest`].
    pub status: u64,
    /// What planning knows of it.
    pub fact: LumigoFact,
}

impl LumigoRecord {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.namespace.clone(), name: self.fact.name.clone() }
    }
}

impl Fact for LumigoRecord {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        let (key, namespace) = (self.key(), self.namespace.clone());
        let stale = index.lumigoes.get(&key).is_some_and(|held| {
            held.uid == self.uid
                && held.resource_version.zip(self.resource_version).is_some_and(|(held, coming)| held >= coming)
        });
        if stale {
            return Change::Nothing;
        }
        index.lumigoes.insert(key, self);
        index.reckon_lumigo(&namespace);
        // Whatever it is that has changed, the Lumigo itself is looked at again.
        Change::Namespace(namespace)
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        index.lumigoes.remove(key);
        index.reckon_lumigo(&key.namespace)
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.lumigoes.keys().cloned().collect()
    }
}

impl Index {
    /// Works out anew which Lumigo of a namespace counts: the oldest, of the same age the first by name. One that is being
    /// deleted counts only where there is no other, so that its successor takes over without taking anything off first.
    fn reckon_lumigo(&mut self, namespace: &str) -> Change {
        let age = |record: &LumigoRecord| (record.fact.deleting, record.fact.created, record.fact.name.clone());
        let lumigo = self.lumigoes_of(namespace).min_by_key(|record| age(record)).map(|record| record.fact.clone());
        self.change_namespace(namespace, |fact| fact.lumigo = lumigo)
    }

    /// The Lumigoes of a namespace, by name.
    fn lumigoes_of(&self, namespace: &str) -> impl Iterator<Item = &LumigoRecord> {
        let first = ObjectKey { namespace: namespace.into(), name: "".into() };
        self.lumigoes.range(first..).take_while(move |(key, _)| &*key.namespace == namespace).map(|(_, record)| record)
    }

    /// All Lumigoes, by namespace and name.
    pub fn lumigoes(&self) -> impl Iterator<Item = &LumigoRecord> {
        self.lumigoes.values()
    }

    /// The Lumigo of that key.
    pub fn lumigo(&self, key: &ObjectKey) -> Option<&LumigoRecord> {
        self.lumigoes.get(key)
    }

    /// Whether a Lumigo is the one that counts in its namespace.
    pub fn counts(&self, lumigo: &LumigoRecord) -> bool {
        self.namespace(&lumigo.namespace).lumigo.as_ref().is_some_and(|counting| counting.name == lumigo.fact.name)
    }
}

/// A digest of what a status says, its times aside.
pub fn lumigo_status_digest(status: &LumigoStatus) -> u64 {
    let conditions: BTreeMap<_, _> = status
        .conditions
        .iter()
        .map(|it| (&it.type_, (&it.status, &it.reason, &it.message, it.observed_generation)))
        .collect();
    let mut hasher = DefaultHasher::new();
    conditions.hash(&mut hasher);
    for InstrumentedResource { api_version, kind, name, namespace, uid } in &status.instrumented_resources {
        (api_version, kind, name, namespace, uid).hash(&mut hasher);
    }
    hasher.finish()
}
