//! Readiness of the collectors, the third condition.

use epiphyte_api::Reason;

use crate::finding::Finding;

/// Readiness of the collectors. Whether a loss has outlasted the grace period is the caller's to say: planning has no clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collectors {
    /// At least one group is there and all are ready.
    Ready,
    /// No group is there.
    Missing {
        /// Whether that has lasted for the grace period.
        grace_over: bool,
    },
    /// A group is not ready.
    Unready {
        /// Name of a group that is not ready, the first by name.
        group: Box<str>,
        /// Whether that has lasted for the grace period.
        grace_over: bool,
    },
}

impl Collectors {
    /// The readiness as a reason, with the group that it is about.
    pub fn finding(&self) -> Finding {
        match self {
            Self::Ready => Reason::CollectorsReady.into(),
            Self::Missing { grace_over: true } => Reason::CollectorsMissing.into(),
            Self::Missing { grace_over: false } => Reason::CollectorsGracePeriod.into(),
            Self::Unready { group, grace_over: true } => Finding::about(Reason::CollectorsNotReady, &**group),
            Self::Unready { group, grace_over: false } => Finding::about(Reason::CollectorsGracePeriod, &**group),
        }
    }
}
