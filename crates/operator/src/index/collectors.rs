//! Readiness of the collectors in the index, and for how long it has been lost.

use std::collections::BTreeMap;

use epiphyte_plan::Collectors;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Change, Fact, Index, ObjectKey};

/// A `CollectorsGroup` of the system namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorsGroupFact {
    /// Namespace and name of the group.
    pub key: ObjectKey,
    /// Generation of its specification.
    pub generation: i64,
    /// Its labels.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// `spec.role`; empty if there is none.
    pub role: Box<str>,
    /// `status.ready`.
    pub ready: bool,
    /// The condition `Ready`, if the status has it: why, and since when.
    pub condition: Option<Condition>,
}

impl CollectorsGroupFact {
    /// Since when it is ready, or is not, if the status tells.
    pub fn since(&self) -> Option<Timestamp> {
        self.condition.as_ref().map(|condition| condition.last_transition_time.0)
    }
}

/// The groups, and for how long not all of them have been ready.
#[derive(Debug)]
pub struct CollectorsIndex {
    /// How long a loss may last before it counts; from the settings.
    grace: SignedDuration,
    /// The groups by name; by their watch.
    groups: BTreeMap<Box<str>, CollectorsGroupFact>,
    /// When readiness was lost; `None` while it is not. Set once at a loss, so that one group's recovery under another's
    /// loss does not start the period anew.
    lost: Option<Timestamp>,
    /// Whether the first list has come: before, nothing can be said to be missing.
    listed: bool,
    /// What planning is told.
    state: Collectors,
}

impl CollectorsIndex {
    pub(super) fn new(grace: SignedDuration) -> Self {
        let state = Collectors::Missing { grace_over: false };
        Self { grace, groups: BTreeMap::new(), lost: None, listed: false, state }
    }

    /// What planning is told.
    pub fn state(&self) -> &Collectors {
        &self.state
    }

    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &CollectorsGroupFact> {
        self.groups.values()
    }

    /// The group of a name.
    pub fn group(&self, name: &str) -> Option<&CollectorsGroupFact> {
        self.groups.get(name)
    }

    /// When a loss that does not count yet will.
    pub fn loss_counts_at(&self) -> Option<Timestamp> {
        let waiting = matches!(
            self.state,
            Collectors::Missing { grace_over: false } | Collectors::Unready { grace_over: false, .. }
        );
        self.lost.filter(|_| waiting).and_then(|lost| lost.checked_add(self.grace).ok())
    }

    pub(super) fn configure(&mut self, grace: SignedDuration, now: Timestamp) -> Change {
        self.grace = grace;
        self.reckon(now)
    }

    pub(super) fn pass_time(&mut self, now: Timestamp) -> Change {
        self.reckon(now)
    }

    fn reckon(&mut self, now: Timestamp) -> Change {
        if !self.listed {
            return Change::Nothing;
        }
        let unready = self.groups.values().find(|group| !group.ready);
        if unready.is_none() && !self.groups.is_empty() {
            self.lost = None;
        } else {
            // A transition in the future is a clock that is wrong, not a loss that is yet to come.
            let told = self.groups.values().filter(|group| !group.ready).filter_map(CollectorsGroupFact::since).min();
            let lost = self.lost.unwrap_or(now).min(told.unwrap_or(now)).min(now);
            self.lost = Some(lost);
        }
        let grace_over = self.lost.is_some_and(|lost| now.duration_since(lost) >= self.grace);
        let state = match unready {
            Some(group) => Collectors::Unready { group: group.key.name.clone(), grace_over },
            None if self.groups.is_empty() => Collectors::Missing { grace_over },
            None => Collectors::Ready,
        };
        if state == self.state {
            return Change::Nothing;
        }
        self.state = state;
        Change::Everything
    }
}

impl Fact for CollectorsGroupFact {
    fn apply(self, index: &mut Index, now: Timestamp) -> Change {
        index.collectors.groups.insert(self.key.name.clone(), self);
        index.collectors.reckon(now)
    }

    fn delete(key: &ObjectKey, index: &mut Index, now: Timestamp) -> Change {
        index.collectors.groups.remove(&key.name);
        index.collectors.reckon(now)
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.collectors.groups.values().map(|group| group.key.clone()).collect()
    }

    fn listed(index: &mut Index, now: Timestamp) -> Change {
        index.collectors.listed = true;
        index.collectors.reckon(now)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn group(ready: bool, since: Option<i64>) -> CollectorsGroupFact {
        let key = ObjectKey { namespace: "odigos-system".into(), name: "gateway".into() };
        let condition = since.map(|second| Condition {
            type_: "Ready".to_owned(),
            status: if ready { "True" } else { "False" }.to_owned(),
            reason: "Tested".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(at(second)),
        });
        let (generation, labels, role) = (1, BTreeMap::new(), "CLUSTER_GATEWAY".into());
        CollectorsGroupFact { key, generation, labels, role, ready, condition }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn index(grace_seconds: i64) -> Index {
        let mut settings = crate::settings::Settings::default();
        settings.collectors.unready_grace_period = SignedDuration::from_secs(grace_seconds);
        Index::new(&settings, "odigos-system")
    }

    #[test]
    fn no_group_counts_as_unready_from_the_first_sighting() {
        let mut index = index(60);
        CollectorsGroupFact::listed(&mut index, at(1000));
        assert_eq!(*index.collectors.state(), Collectors::Missing { grace_over: false });
        assert_eq!(index.collectors.loss_counts_at(), Some(at(1060)));
        assert_eq!(index.pass_time(at(1060)), Change::Everything);
        assert_eq!(*index.collectors.state(), Collectors::Missing { grace_over: true });
    }

    #[test]
    fn a_loss_is_counted_from_its_transition() {
        let mut index = index(60);
        CollectorsGroupFact::listed(&mut index, at(1000));
        group(true, Some(900)).apply(&mut index, at(1000));
        assert_eq!(*index.collectors.state(), Collectors::Ready);
        group(false, Some(1010)).apply(&mut index, at(1030));
        assert_eq!(index.collectors.loss_counts_at(), Some(at(1070)));
    }

    #[test]
    fn a_flap_within_the_grace_period_never_counts() {
        let mut index = index(60);
        CollectorsGroupFact::listed(&mut index, at(1000));
        group(false, None).apply(&mut index, at(1000));
        group(true, None).apply(&mut index, at(1059));
        assert_eq!(index.pass_time(at(2000)), Change::Nothing);
        assert_eq!(*index.collectors.state(), Collectors::Ready);
    }

    #[test]
    fn a_transition_in_the_future_counts_from_now() {
        let mut index = index(60);
        CollectorsGroupFact::listed(&mut index, at(1000));
        group(false, Some(9000)).apply(&mut index, at(1000));
        assert_eq!(index.collectors.loss_counts_at(), Some(at(1060)));
    }

    #[test]
    fn a_grace_period_of_zero_is_the_letter_of_the_document() {
        let mut index = index(0);
        CollectorsGroupFact::listed(&mut index, at(1000));
        group(true, None).apply(&mut index, at(1000));
        group(false, None).apply(&mut index, at(1001));
        assert!(matches!(index.collectors.state(), Collectors::Unready { grace_over: true, .. }));
    }
}
