//! Jobs that exist: their pod template cannot change.

use epiphyte_api::Reason;

use crate::{Decision, Facts, Replacement, Verdict};

/// Turns whatever would change a stored Job into *keep*.
pub(crate) fn leave_stored(facts: &Facts<'_>, verdict: &mut Verdict) {
    let Some(job) = facts.current.filter(|job| job.replacement == Replacement::Immutable && !job.uid.is_empty()) else {
        return;
    };
    for container in &mut verdict.containers {
        let stored = job.pod.container(&container.name);
        let changes = match container.decision {
            Decision::On(wanted) => stored.and_then(|stored| job.pod.instrument(stored)) != Some(wanted),
            Decision::Off => stored.is_some_and(|stored| stored.is_ours()),
            Decision::Keep => false,
        };
        if changes {
            container.decision = Decision::Keep;
            container.findings.push(Reason::JobImmutable.into());
        }
    }
}
