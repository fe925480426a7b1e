//! The `device` delivery: its conditions, and what becomes of a container under them.

use std::cell::LazyCell;

use epiphyte_api::{Device, Language, Reason};

use crate::details::Seen;
use crate::offer::offered;
use crate::{
    Collectors, Container, ContainerDetails, ContainerVerdict, Decision, Facts, Finding, Gate, GateState, Instrument,
    obstacle,
};

/// The second condition: runtime details that name a supported language.
pub(crate) fn detected(facts: &Facts<'_>) -> Gate {
    let waits = Gate { state: GateState::Waits, finding: Reason::WaitingForDetection.into() };
    let Some(details) = facts.details.filter(|details| !details.pending) else {
        return waits;
    };
    let containers = &facts.workload.pod.containers;
    let entries = || containers.iter().filter_map(|container| Some((container, details.of(&container.name).0?)));
    if entries().any(|(container, entry)| entry.is_of(container) && entry.device().is_some()) {
        Gate { state: GateState::Holds, finding: Reason::RuntimeDetected.into() }
    } else if entries().any(|(container, entry)| !entry.is_of(container)) {
        waits
    } else {
        Gate { state: GateState::Fails, finding: Reason::NoSupportedLanguage.into() }
    }
}

/// The third condition: collectors that are ready, or have not been unready for long.
pub(crate) fn collectors(facts: &Facts<'_>) -> Gate {
    let state = match facts.collectors {
        Collectors::Ready => GateState::Holds,
        Collectors::Missing { grace_over: false } | Collectors::Unready { grace_over: false, .. } => GateState::Waits,
        Collectors::Missing { grace_over: true } | Collectors::Unready { grace_over: true, .. } => GateState::Fails,
    };
    Gate { state, finding: facts.collectors.finding() }
}

/// What becomes of each container, given how the third condition stands.
pub(crate) fn containers(facts: &Facts<'_>, collectors: &Gate) -> Vec<ContainerVerdict> {
    // Asked only where something is to be added, and then once.
    let offer = LazyCell::new(|| offered(facts.workload, facts.nodes));
    let is_offered = |device| !facts.settings.require_offer || offer.contains(device);
    facts
        .workload
        .pod
        .containers
        .iter()
        .map(|container| {
            let mut findings = Vec::with_capacity(1);
            let (decision, settled) = match wish(facts, container, &mut findings) {
                Wish::Refused(finding) => (Decision::Off, finding),
                _ if collectors.state == GateState::Fails => (Decision::Off, collectors.finding.clone()),
                Wish::Waits => (Decision::Keep, Reason::WaitingForDetection.into()),
                Wish::Device(_) if collectors.state != GateState::Holds => (Decision::Keep, collectors.finding.clone()),
                Wish::Device(device) if has(facts, container, device) || is_offered(device) => {
                    let on = Decision::On(Instrument::Device(device));
                    (on, Finding::about(Reason::Instrumented, device.resource()))
                }
                Wish::Device(device) => (Decision::Keep, Finding::about(Reason::NoNodeOffersDevice, device.resource())),
            };
            ContainerVerdict::new(container, findings, decision, settled)
        })
        .collect()
}

/// What a container would get if all else held.
enum Wish {
    Device(Device),
    Waits,
    Refused(Finding),
}

fn wish(facts: &Facts<'_>, container: &Container, findings: &mut Vec<Finding>) -> Wish {
    let Some(details) = facts.details.filter(|details| !details.pending) else {
        return Wish::Waits;
    };
    let entry = match details.seen(container, findings) {
        Seen::Nothing => return Wish::Refused(Reason::ContainerNotDetected.into()),
        Seen::Outdated => return Wish::Waits,
        Seen::Entry(entry) => entry,
    };
    let Some(device) = entry.device() else {
        return Wish::Refused(unserved(entry));
    };
    let obstacle = || obstacle(&facts.workload.pod, container, Instrument::Device(device)).map(Finding::from);
    match entry.forbids(container, device.preloads()).or_else(obstacle) {
        Some(finding) => Wish::Refused(finding),
        None => Wish::Device(device),
    }
}

fn unserved(entry: &ContainerDetails) -> Finding {
    match &entry.language {
        Language::Unknown => Reason::LanguageUnknown.into(),
        language => Finding::about(Reason::LanguageNotSupported, language.as_str()),
    }
}

/// Whether the container has the device already: then the offer is not asked, because it never removes.
fn has(facts: &Facts<'_>, container: &Container, device: Device) -> bool {
    let current = facts.current.and_then(|current| current.pod.container(&container.name));
    current.is_some_and(|current| current.devices.iter().any(|resource| **resource == *device.resource()))
}
