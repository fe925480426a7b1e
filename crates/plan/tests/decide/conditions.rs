//! The three conditions of the `device` delivery, gained and lost.

use epiphyte_api::{Device, Reason};
use epiphyte_plan::GateState::{Fails, Holds, Unasked, Waits};
use epiphyte_plan::{Collectors, ContainerDetails, Decision, Delivery, GateState, Instrument, Preload, PreloadSource};

use crate::scenario::{Scenario, container, deployment, entry};

const JAVA: &str = "instrumentation.odigos.io/java-native-community";

fn missing(grace_over: bool) -> Collectors {
    Collectors::Missing { grace_over }
}

fn unready(grace_over: bool) -> Collectors {
    Collectors::Unready { group: "gateway".into(), grace_over }
}

fn marked() -> Scenario {
    deployment().annotated("true")
}

fn instrumented() -> Scenario {
    marked().with_device(JAVA)
}

#[test]
fn all_three_conditions_together_turn_a_workload_on() {
    marked()
        .is_on(Delivery::Device)
        .is_because(Reason::Instrumented, JAVA)
        .stands([Holds, Holds, Holds])
        .finds(Reason::DeliveredByDevice, "")
        .finds(Reason::RuntimeDetected, "")
        .finds(Reason::CollectorsReady, "");
}

#[test]
fn every_supported_language_gets_its_device() {
    for (language, device) in
        [("java", Device::Java), ("python", Device::Python), ("javascript", Device::JavaScript), ("go", Device::Go)]
    {
        let scenario = marked().detected([entry("app", language)]);
        assert_eq!(scenario.verdict().decision("app"), Decision::On(Instrument::Device(device)));
    }
}

#[test]
fn losing_the_mark_takes_the_device_off_at_once() {
    for collectors in [Collectors::Ready, unready(false)] {
        deployment().with_device(JAVA).collectors(collectors).is_off(Reason::NotMarked);
    }
    deployment().with_device(JAVA).pending().is_off(Reason::NotMarked).stands([Fails, Unasked, Unasked]);
}

#[test]
fn while_an_answer_is_awaited_everything_stays_as_it_is() {
    for scenario in [marked().undetected(), marked().pending(), instrumented().pending(), instrumented().undetected()] {
        scenario.is_kept(Reason::WaitingForDetection).stands([Holds, Waits, Holds]);
        assert!(scenario.verdict().wants_details());
    }
}

#[test]
fn details_without_a_supported_language_take_the_device_off_at_once() {
    instrumented()
        .detected([entry("app", "rust")])
        .is_because(Reason::LanguageNotSupported, "rust")
        .is_off(Reason::LanguageNotSupported)
        .stands([Holds, Fails, Holds])
        .finds(Reason::NoSupportedLanguage, "");
    instrumented().detected([entry("app", "unknown")]).is_off(Reason::LanguageUnknown).stands([Holds, Fails, Holds]);
    instrumented().detected([]).is_off(Reason::ContainerNotDetected).stands([Holds, Fails, Holds]);
    instrumented().detected([]).collectors(unready(false)).is_off(Reason::ContainerNotDetected);
}

#[test]
fn collectors_that_are_not_ready_within_the_grace_period_leave_everything_as_it_is() {
    for scenario in [marked(), instrumented()] {
        scenario
            .clone()
            .collectors(missing(false))
            .is_kept(Reason::CollectorsGracePeriod)
            .stands([Holds, Holds, Waits]);
        scenario.collectors(unready(false)).is_because(Reason::CollectorsGracePeriod, "gateway");
    }
}

#[test]
fn collectors_that_are_not_ready_beyond_the_grace_period_take_the_device_off() {
    for scenario in [marked(), instrumented()] {
        scenario.clone().collectors(missing(true)).is_off(Reason::CollectorsMissing).stands([Holds, Holds, Fails]);
        scenario
            .collectors(unready(true))
            .is_off(Reason::CollectorsNotReady)
            .is_because(Reason::CollectorsNotReady, "gateway")
            .finds(Reason::CollectorsNotReady, "gateway");
    }
}

#[test]
fn a_loss_that_counts_beats_waiting_for_the_other_condition() {
    instrumented().pending().collectors(missing(true)).is_off(Reason::CollectorsMissing).stands([Holds, Waits, Fails]);
    instrumented().pending().collectors(missing(false)).is_kept(Reason::WaitingForDetection);
}

#[test]
fn a_version_that_no_agent_serves_is_named_with_those_that_one_does() {
    let old = || ContainerDetails { runtime_version: Some("3.8.18".into()), ..entry("app", "python") };
    let said = "python 3.8.18; served: 3.9 to below 4";
    instrumented().detected([old()]).is_off(Reason::RuntimeVersionNotServed);
    marked().detected([old()]).is_because(Reason::RuntimeVersionNotServed, said);
    let new = ContainerDetails { runtime_version: Some("3.9.18".into()), ..old() };
    marked().detected([new]).is_on(Delivery::Device);
}

#[test]
fn why_a_container_can_never_have_a_device_is_said_before_the_collectors_are_blamed() {
    marked().detected([entry("app", "rust")]).collectors(missing(true)).is_off(Reason::LanguageNotSupported);
}

#[test]
fn of_two_containers_the_one_we_serve_is_on_and_the_other_says_why_not() {
    marked()
        .container("sidecar")
        .detected([entry("app", "java"), entry("sidecar", "cplusplus")])
        .is_on(Delivery::Device)
        .container_is("sidecar", Decision::Off, Reason::LanguageNotSupported)
        .stands([Holds, Holds, Holds]);
    marked().container("sidecar").is_on(Delivery::Device).container_is(
        "sidecar",
        Decision::Off,
        Reason::ContainerNotDetected,
    );
}

#[test]
fn what_was_seen_of_another_image_is_not_believed() {
    let renewed = |scenario: Scenario| scenario.updated(|workload| workload.pod.containers[0].image = "app:2".into());
    renewed(instrumented()).is_kept(Reason::WaitingForDetection).stands([Holds, Waits, Holds]);
    renewed(instrumented().detected([entry("app", "rust")])).is_kept(Reason::WaitingForDetection);

    let two = instrumented().container("web").detected([entry("app", "java"), entry("web", "javascript")]);
    renewed(two)
        .is_kept(Reason::WaitingForDetection)
        .container_is_on("web", Delivery::Device)
        .stands([Holds, Holds, Holds]);
}

#[test]
fn an_entry_without_an_image_is_good_for_any() {
    let mut anywhere = entry("app", "python");
    anywhere.image = None;
    marked().detected([anywhere]).is_on(Delivery::Device);
}

#[test]
fn another_vendors_agent_is_a_reason_to_stay_away() {
    let mut watched = entry("app", "java");
    watched.other_agent = Some("newrelic".into());
    instrumented()
        .detected([watched])
        .is_off(Reason::OtherAgentDetected)
        .is_because(Reason::OtherAgentDetected, "newrelic");
}

#[test]
fn a_preload_that_the_manifest_does_not_show_is_a_reason_to_stay_away() {
    let preloading = |language| {
        let mut preloading = entry("app", language);
        preloading.preloads = true;
        marked().detected([preloading])
    };
    preloading("java").is_off(Reason::PreloadNotInManifest);
    preloading("java")
        .app(|app| app.preload = Preload { source: PreloadSource::Literal, ..Preload::default() })
        .is_on(Delivery::Device);
    // Go's agent is attached from outside.
    preloading("go").is_on(Delivery::Device);
}

#[test]
fn what_surgery_would_refuse_is_said_by_the_verdict() {
    marked().app(|app| app.mounts_over_device = true).is_off(Reason::MountPathTaken);
    marked().app(|app| app.preload.source = PreloadSource::Reference).is_off(Reason::PreloadReferenced);
    marked().app(|app| app.preload.source = PreloadSource::Ambiguous).is_off(Reason::PreloadAmbiguous);
    marked().app(|app| app.variables = epiphyte_plan::Variables::TOKEN).is_off(Reason::VariableTaken);
}

#[test]
fn a_container_that_is_added_waits_for_nobody_else() {
    instrumented()
        .updated(|workload| {
            let containers = std::mem::take(&mut workload.pod.containers);
            workload.pod.containers = containers.into_iter().chain([container("new")]).collect();
        })
        .is_on(Delivery::Device)
        .container_is("new", Decision::Off, Reason::ContainerNotDetected);
}

#[test]
fn the_device_can_take_over_from_the_injector() {
    marked().lumigo().injected("app").is_on(Delivery::Device);
    marked().lumigo().injected("app").undetected().is_kept(Reason::WaitingForDetection);
}

#[test]
fn conditions_that_nothing_asks_for_are_unasked() {
    let unasked: [GateState; 3] = [Holds, Unasked, Unasked];
    deployment().lumigo().collectors(missing(true)).undetected().is_on(Delivery::Injector).stands(unasked);
}
