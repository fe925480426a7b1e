//! Sources in the index.

use epiphyte_api::Reason;
use epiphyte_plan::{Finding, SourceFact};
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey, WorkloadKey};

/// What a Source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Namespace and name of the Source.
    pub key: ObjectKey,
    /// UID of the Source.
    pub uid: Box<str>,
    /// When it was created: the oldest of two rules.
    pub created: Option<Timestamp>,
    /// What it marks.
    pub target: SourceTarget,
    /// Whether it turns off instead of on.
    pub disables: bool,
}

/// What a Source marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceTarget {
    /// One workload.
    Workload(WorkloadKey),
    /// Its own namespace.
    Namespace,
    /// Nothing: it names a kind that we do not know.
    UnknownKind(Box<str>),
    /// Nothing: it names a namespace that is not its own.
    OtherNamespace(Box<str>),
}

impl Fact for SourceRecord {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        if index.sources.get(&self.key) == Some(&self) {
            return Change::Nothing;
        }
        let key = self.key.clone();
        let replaced = index.sources.insert(key.clone(), self);
        let before = replaced.map_or(Change::Nothing, |record| index.reckon_sources(&key.namespace, &record.target));
        let target = index.sources.get(&key).map(|record| record.target.clone());
        let after = target.map_or(Change::Nothing, |target| index.reckon_sources(&key.namespace, &target));
        // A Source whose object is replaced under the same name may have marked something else before.
        if before == Change::Nothing || before == after { after } else { Change::Namespace(key.namespace) }
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        match index.sources.remove(key) {
            Some(record) => index.reckon_sources(&key.namespace, &record.target),
            None => Change::Nothing,
        }
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.sources.keys().cloned().collect()
    }
}

impl Index {
    /// Every Source that counts for less than it says, and why.
    pub fn source_findings(&self) -> impl Iterator<Item = (&SourceRecord, Finding)> {
        self.sources.values().filter_map(|record| Some((record, self.source_finding(record)?)))
    }

    fn source_finding(&self, record: &SourceRecord) -> Option<Finding> {
        let overruled = |sources: &[SourceFact]| {
            let ruling = sources.first().filter(|ruling| ruling.name != record.key.name)?;
            Some(Finding::about(Reason::DuplicateSource, &*ruling.name))
        };
        match &record.target {
            SourceTarget::UnknownKind(kind) => Some(Finding::about(Reason::SourceKindUnknown, &**kind)),
            SourceTarget::OtherNamespace(name) => Some(Finding::about(Reason::SourceInOtherNamespace, &**name)),
            SourceTarget::Namespace => overruled(&self.namespace(&record.key.namespace).sources),
            SourceTarget::Workload(key) if !self.workloads.contains_key(key) => {
                Some(Finding::about(Reason::SourceTargetMissing, key.to_string()))
            }
            SourceTarget::Workload(key) => overruled(self.workload_sources.get(key)?),
        }
    }

    /// Works out anew which Sources count for a target.
    fn reckon_sources(&mut self, namespace: &str, target: &SourceTarget) -> Change {
        let mut records: Vec<&SourceRecord> = self
            .sources
            .values()
            .filter(|record| &*record.key.namespace == namespace && record.target == *target)
            .collect();
        records.sort_by(|a, b| (a.created, &a.key.name).cmp(&(b.created, &b.key.name)));
        let facts: Vec<SourceFact> = records
            .iter()
            .map(|record| SourceFact { name: record.key.name.clone(), disables: record.disables })
            .collect();
        match target {
            SourceTarget::Workload(key) => {
                if facts.is_empty() {
                    self.workload_sources.remove(key);
                } else {
                    self.workload_sources.insert(key.clone(), facts);
                }
                Change::Workload(key.clone())
            }
            SourceTarget::Namespace => self.change_namespace(namespace, |fact| fact.sources = facts),
            // It counts for nothing, but somebody has to be told.
            SourceTarget::UnknownKind(_) | SourceTarget::OtherNamespace(_) => Change::Namespace(namespace.into()),
        }
    }
}
