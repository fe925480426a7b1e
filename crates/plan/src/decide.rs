//! The decision: the order in which planning looks at the facts.

use epiphyte_api::{Reason, names};

use crate::lumigo::Aftermath;
use crate::precedence::{Mark, Says, ruling};
use crate::{
    Container, ContainerVerdict, Decision, Delivery, DeliveryMark, Facts, Finding, Gate, GateState, Verdict, device,
    injector, job, lumigo,
};

/// Decides what is to become of a workload. Total: there are no facts without a verdict.
pub fn decide(facts: &Facts<'_>) -> Verdict {
    if facts.uninstalling {
        return off(facts, Vec::new(), Reason::Uninstalling.into());
    }
    let mut verdict = never(facts).unwrap_or_else(|| by_marks(facts));
    job::leave_stored(facts, &mut verdict);
    verdict
}

/// What is never instrumented, whatever the marks.
fn never(facts: &Facts<'_>) -> Option<Verdict> {
    let workload = facts.workload;
    let pod = &workload.pod;
    let other_os = pod.os.as_deref().filter(|os| *os != "linux");
    let other_arch = pod.arch.as_deref().filter(|arch| !names::SERVED_ARCHITECTURES.contains(arch));
    if facts.settings.ignores(&workload.namespace) {
        Some(off(facts, Vec::new(), Finding::about(Reason::IgnoredNamespace, &*workload.namespace)))
    } else if workload.deleting {
        Some(unmarked(facts, Vec::new(), Decision::Keep, Reason::BeingDeleted.into()))
    } else if workload.controlled {
        Some(unmarked(facts, Vec::new(), Decision::Keep, Reason::OwnedByController.into()))
    } else {
        let platform = other_os.or(other_arch)?;
        Some(off(facts, Vec::new(), Finding::about(Reason::PlatformNotServed, platform)))
    }
}

fn by_marks(facts: &Facts<'_>) -> Verdict {
    let mut trace = Vec::new();
    let ruling = ruling(facts, &mut trace);
    if let Some(aftermath) = lumigo::aftermath(facts, ruling.as_ref()) {
        trace.extend(ruling.map(|mark| mark.finding()));
        return after_lumigo(facts, trace, aftermath);
    }
    match ruling {
        Some(mark) if mark.says == Says::On => marked_on(facts, &mark, trace),
        Some(mark) => off(facts, trace, mark.finding()),
        None => off(facts, trace, Reason::NotMarked.into()),
    }
}

/// A workload that is turned on: by which delivery, and whether its conditions hold.
fn marked_on(facts: &Facts<'_>, mark: &Mark<'_>, mut trace: Vec<Finding>) -> Verdict {
    let marked = Gate { state: GateState::Holds, finding: mark.finding() };
    trace.push(mark.finding());
    let delivery = match &facts.workload.delivery {
        Some(DeliveryMark::Chosen(chosen)) => *chosen,
        Some(DeliveryMark::Invalid(value)) => {
            trace.push(Finding::about(Reason::InvalidDelivery, &**value));
            mark.delivery()
        }
        None => mark.delivery(),
    };
    let delivered = Finding::from(match delivery {
        Delivery::Device => Reason::DeliveredByDevice,
        Delivery::Injector => Reason::DeliveredByInjector,
    });
    trace.push(delivered.clone());

    if delivery == Delivery::Injector && facts.namespace.lumigo.is_none() {
        trace.extend(facts.workload.companions.iter().flat_map(|companions| companions.findings()));
    }
    if delivery == Delivery::Device && !facts.workload.kind.served_by_device() {
        let unserved = Finding::about(Reason::KindNotServedByDevice, facts.workload.kind.as_str());
        return Verdict { marked, ..off(facts, trace, unserved) };
    }
    let (detected, collectors, mut containers) = match delivery {
        Delivery::Device => {
            let (detected, collectors) = (device::detected(facts), device::collectors(facts));
            let containers = device::containers(facts, &collectors);
            (detected, collectors, containers)
        }
        Delivery::Injector => (unasked(&delivered), unasked(&delivered), injector::containers(facts)),
    };
    let answered = facts.details.filter(|details| !details.pending);
    trace.extend(answered.into_iter().flat_map(|details| details.strangers(&facts.workload.pod)));
    let asked = [&detected, &collectors].into_iter().filter(|gate| gate.state != GateState::Unasked);
    trace.extend(asked.map(|gate| gate.finding.clone()));
    if let Some(spared) = lumigo::spares(facts, mark) {
        spare(facts, &mut containers, &spared);
        trace.push(spared);
    }
    Verdict { delivery: Some(delivery), findings: trace, marked, detected, collectors, containers }
}

/// Leaves as they are the containers that are not instrumented yet.
fn spare(facts: &Facts<'_>, containers: &mut [ContainerVerdict], spared: &Finding) {
    for container in containers {
        let current = facts.current.and_then(|current| current.pod.container(&container.name));
        if !current.is_some_and(Container::is_ours) {
            container.decision = Decision::Keep;
            container.findings.push(spared.clone());
        }
    }
}

/// A workload that nothing turns on, where a Lumigo has a say in what is injected already.
fn after_lumigo(facts: &Facts<'_>, trace: Vec<Finding>, Aftermath { keeps, withholds }: Aftermath) -> Verdict {
    let mut verdict = off(facts, trace, withholds);
    let Some(keeps) = keeps else { return verdict };
    let injected = facts.current.into_iter().flat_map(|current| current.pod.containers.iter());
    for current in injected.filter(|container| container.injected) {
        if let Some(container) = verdict.containers.iter_mut().find(|container| container.name == current.name) {
            container.decision = Decision::Keep;
            container.findings = vec![keeps.clone()];
        }
    }
    verdict
}

/// Everything off, for one reason.
fn off(facts: &Facts<'_>, trace: Vec<Finding>, why: Finding) -> Verdict {
    unmarked(facts, trace, Decision::Off, why)
}

/// The same decision about every container, for one reason.
fn unmarked(facts: &Facts<'_>, mut trace: Vec<Finding>, decision: Decision, why: Finding) -> Verdict {
    let settle = |container| ContainerVerdict::new(container, Vec::new(), decision, why.clone());
    let containers = facts.workload.pod.containers.iter().map(settle).collect();
    trace.push(why.clone());
    Verdict {
        delivery: None,
        findings: trace,
        marked: Gate { state: GateState::Fails, finding: why.clone() },
        detected: unasked(&why),
        collectors: unasked(&why),
        containers,
    }
}

fn unasked(why: &Finding) -> Gate {
    Gate { state: GateState::Unasked, finding: why.clone() }
}
