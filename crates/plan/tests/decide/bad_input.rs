//! Input that makes no sense is named and stops nothing else.

use epiphyte_api::Reason;
use epiphyte_plan::{Decision, Delivery, GateState};

use crate::scenario::{deployment, entry};

#[test]
fn a_language_that_nobody_knows_is_one_that_no_agent_serves() {
    deployment()
        .annotated("true")
        .container("web")
        .detected([entry("app", "klingon"), entry("web", "javascript")])
        .is_off(Reason::LanguageNotSupported)
        .is_because(Reason::LanguageNotSupported, "klingon")
        .container_is_on("web", Delivery::Device);
}

#[test]
fn of_two_entries_for_one_container_the_first_counts_and_the_container_says_so() {
    let scenario = deployment().annotated("true").detected([entry("app", "java"), entry("app", "rust")]);
    scenario.is_on(Delivery::Device);
    assert_eq!(scenario.verdict().containers[0].findings[0].reason, Reason::DuplicateDetails);

    deployment()
        .annotated("true")
        .detected([entry("app", "rust"), entry("app", "java")])
        .is_off(Reason::LanguageNotSupported)
        .stands([GateState::Holds, GateState::Fails, GateState::Holds]);
}

#[test]
fn an_entry_for_a_container_that_does_not_exist_is_named_and_counts_for_nothing() {
    deployment()
        .annotated("true")
        .detected([entry("ghost", "python"), entry("app", "java")])
        .is_on(Delivery::Device)
        .finds(Reason::UnknownContainer, "ghost");
    deployment().annotated("true").detected([entry("ghost", "python")]).is_off(Reason::ContainerNotDetected).stands([
        GateState::Holds,
        GateState::Fails,
        GateState::Holds,
    ]);
}

#[test]
fn a_template_without_containers_has_a_verdict() {
    let scenario = deployment().annotated("true").with(|it| it.workload.pod.containers = Box::default());
    let verdict = scenario.verdict();
    assert!(verdict.containers.is_empty());
    assert_eq!(verdict.detected.state, GateState::Fails);
    assert_eq!(verdict.decision("app"), Decision::Off);
}

#[test]
fn every_bad_thing_at_once_still_gets_an_answer() {
    deployment()
        .annotated("perhaps")
        .delivered_by("by hand")
        .source("older")
        .source("newer")
        .namespace_annotated("why not")
        .detected([entry("app", "klingon"), entry("app", ""), entry("", "java")])
        .is_off(Reason::InvalidMark)
        .finds(Reason::DuplicateSource, "newer")
        .finds(Reason::InvalidNamespaceMark, "why not");
}
