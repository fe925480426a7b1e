//! What is never instrumented, whatever the marks.

use epiphyte_api::{Reason, WorkloadKind};
use epiphyte_plan::{Decision, Delivery, GateState};

use crate::scenario::{deployment, workload};

#[test]
fn namespaces_of_the_system_and_ignored_ones_are_never_instrumented() {
    for namespace in ["kube-system", "kube-public", "kube-node-lease", "epiphyte-system", "quiet"] {
        deployment()
            .annotated("true")
            .with(|it| it.workload.namespace = namespace.into())
            .is_off(Reason::IgnoredNamespace)
            .is_because(Reason::IgnoredNamespace, namespace)
            .stands([GateState::Fails, GateState::Unasked, GateState::Unasked]);
    }
}

#[test]
fn pods_for_windows_are_not_instrumented() {
    deployment().annotated("true").with(|it| it.workload.pod.os = Some("linux".into())).is_on(Delivery::Device);
    deployment()
        .annotated("true")
        .with(|it| it.workload.pod.os = Some("windows".into()))
        .is_off(Reason::PlatformNotServed)
        .is_because(Reason::PlatformNotServed, "windows");
}

#[test]
fn pods_for_an_architecture_that_no_agent_serves_are_not_instrumented() {
    for (arch, served) in [("amd64", true), ("arm64", true), ("s390x", false)] {
        let scenario = deployment().annotated("true").with(|it| it.workload.pod.arch = Some(arch.into()));
        match served {
            true => scenario.is_on(Delivery::Device),
            false => scenario.is_because(Reason::PlatformNotServed, arch),
        };
    }
}

#[test]
fn what_is_being_deleted_or_owned_by_a_controller_is_left_as_it_is() {
    deployment().annotated("true").with(|it| it.workload.deleting = true).is_kept(Reason::BeingDeleted);
    workload(WorkloadKind::ReplicaSet)
        .annotated("true")
        .with(|it| it.workload.controlled = true)
        .is_kept(Reason::OwnedByController);
}

#[test]
fn uninstalling_turns_everything_off_whatever_else_is_true() {
    let marked = || deployment().annotated("true").lumigo().injected("app").container("sidecar");
    let scenarios = [
        marked(),
        marked().collectors(epiphyte_plan::Collectors::Missing { grace_over: false }),
        marked().undetected(),
        marked().with(|it| it.workload.namespace = "kube-system".into()),
        marked().with(|it| it.workload.deleting = true),
        marked().with(|it| it.workload.controlled = true),
        marked().lumigo_that(|lumigo| lumigo.active = false),
        workload(WorkloadKind::Job).container("sidecar").lumigo().injected("app"),
    ];
    for scenario in scenarios {
        scenario
            .with(|it| it.uninstalling = true)
            .is_off(Reason::Uninstalling)
            .container_is("sidecar", Decision::Off, Reason::Uninstalling)
            .stands([GateState::Fails, GateState::Unasked, GateState::Unasked]);
    }
}
