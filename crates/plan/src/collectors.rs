//! Readiness of the collectors, the third condition.

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
