//! The `injector` delivery.

use epiphyte_api::{Reason, WorkloadKind};
use epiphyte_plan::{Collectors, Companions, Decision, Delivery, Part, Preload, PreloadSource, Variables};

use crate::scenario::{Scenario, deployment, entry, workload};

fn marked() -> Scenario {
    deployment().lumigo()
}

#[test]
fn neither_details_nor_collectors_nor_nodes_are_needed() {
    let bare = marked().undetected().collectors(Collectors::Missing { grace_over: true }).nodes([]);
    bare.is_on(Delivery::Injector).is_because(Reason::Instrumented, "").finds(Reason::DeliveredByInjector, "");
    assert!(!bare.verdict().wants_details());
}

#[test]
fn every_container_is_injected_whatever_its_language() {
    marked()
        .container("sidecar")
        .detected([entry("app", "rust")])
        .is_on(Delivery::Injector)
        .container_is_on("sidecar", Delivery::Injector);
}

#[test]
fn all_six_kinds_are_served() {
    for kind in WorkloadKind::ALL {
        workload(kind).lumigo().being_created().is_on(Delivery::Injector);
    }
}

#[test]
fn details_that_forbid_it_are_heard_for_their_container_and_image_only() {
    let mut watched = entry("app", "java");
    watched.other_agent = Some("datadog".into());
    let scenario = marked().container("sidecar").detected([watched]);
    scenario
        .is_off(Reason::OtherAgentDetected)
        .is_because(Reason::OtherAgentDetected, "datadog")
        .container_is_on("sidecar", Delivery::Injector);
    scenario.clone().pending().is_on(Delivery::Injector);
    scenario.app(|app| app.image = "app:2".into()).is_on(Delivery::Injector);
}

#[test]
fn a_preload_of_the_image_is_heard_before_and_after_ours_has_hidden_it() {
    let mut preloading = entry("app", "java");
    preloading.preloads = true;
    let scenario = marked().detected([preloading]);
    scenario.is_off(Reason::PreloadNotInManifest);
    scenario.clone().injected("app").is_off(Reason::PreloadNotInManifest);
    scenario
        .clone()
        .app(|app| app.preload = Preload { source: PreloadSource::Literal, ..Preload::default() })
        .is_on(Delivery::Injector);
    scenario.injected("app").app(|app| app.preload.ours_alone = false).is_on(Delivery::Injector);
}

#[test]
fn what_surgery_would_refuse_is_said_by_the_verdict() {
    marked().app(|app| app.mounts_over_injector = true).is_off(Reason::MountPathTaken);
    marked().app(|app| app.preload.source = PreloadSource::Reference).is_off(Reason::PreloadReferenced);
    marked().app(|app| app.variables = Variables::named("LUMIGO_ENDPOINT")).is_off(Reason::VariableTaken);
    marked().with(|it| it.workload.pod.volume = Part::Foreign).is_off(Reason::VolumeTaken);
    marked()
        .container("sidecar")
        .app(|app| app.mounts_over_injector = true)
        .container_is("app", Decision::Off, Reason::MountPathTaken)
        .container_is_on("sidecar", Delivery::Injector);
}

#[test]
fn what_is_injected_stays_on() {
    marked().injected("app").is_on(Delivery::Injector);
    marked().injected("app").updated(|workload| workload.pod = deployment().workload.pod).is_on(Delivery::Injector);
}

#[test]
fn the_injector_can_take_over_from_the_device() {
    let resource = "instrumentation.odigos.io/java-native-community";
    deployment().annotated("true").delivered_by("injector").with_device(resource).is_on(Delivery::Injector);
}

#[test]
fn the_label_alone_injects_in_a_namespace_without_a_lumigo() {
    deployment().labelled("true").undetected().is_on(Delivery::Injector);
}

#[test]
fn a_companion_label_that_makes_no_sense_is_told_where_it_would_count() {
    let mut labelled = deployment().labelled("true");
    let companions = Companions { invalid: Box::new(["lumigo.token-key".into()]), ..Companions::default() };
    labelled.workload.companions = Some(Box::new(companions));
    labelled.is_on(Delivery::Injector).finds(Reason::InvalidTokenLabel, "lumigo.token-key");
    let by_lumigo = labelled.lumigo().verdict();
    assert!(by_lumigo.findings.iter().all(|finding| finding.reason != Reason::InvalidTokenLabel));
}
