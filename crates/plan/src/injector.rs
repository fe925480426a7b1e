//! The `injector` delivery: what becomes of a container under it.

use epiphyte_api::Reason;

use crate::details::Seen;
use crate::{Container, ContainerVerdict, Decision, Facts, Finding, Instrument, obstacle};

/// What becomes of each container.
pub(crate) fn containers(facts: &Facts<'_>) -> Vec<ContainerVerdict> {
    let settle = |container| {
        let mut findings = Vec::with_capacity(1);
        let (decision, settled) = match refusal(facts, container, &mut findings) {
            Some(finding) => (Decision::Off, finding),
            None => (Decision::On(Instrument::Injector), Reason::Instrumented.into()),
        };
        ContainerVerdict::new(container, findings, decision, settled)
    };
    facts.workload.pod.containers.iter().map(settle).collect()
}

/// Runtime details are not needed, but where some are there they are heard.
fn refusal(facts: &Facts<'_>, container: &Container, findings: &mut Vec<Finding>) -> Option<Finding> {
    let details = facts.details.filter(|details| !details.pending);
    let forbidden = match details.map(|details| details.seen(container, findings)) {
        Some(Seen::Entry(entry)) => entry.forbids(container, true),
        Some(Seen::Nothing | Seen::Outdated) | None => None,
    };
    forbidden.or_else(|| obstacle(&facts.workload.pod, container, Instrument::Injector).map(Finding::from))
}
