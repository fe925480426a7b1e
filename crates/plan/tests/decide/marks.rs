//! Marks and their precedence.

use epiphyte_api::Reason;
use epiphyte_plan::{Decision, Delivery, GateState};

use crate::scenario::{Scenario, deployment};

#[test]
fn without_a_mark_nothing_is_instrumented() {
    deployment()
        .is_off(Reason::NotMarked)
        .stands([GateState::Fails, GateState::Unasked, GateState::Unasked])
        .finds(Reason::NotMarked, "");
}

#[test]
fn the_annotation_turns_a_workload_on_and_off() {
    deployment().annotated("true").is_on(Delivery::Device).finds(Reason::MarkedByAnnotation, "");
    deployment().annotated("false").is_off(Reason::OptedOutByAnnotation);
}

#[test]
fn an_annotation_that_is_neither_true_nor_false_counts_as_false_and_says_what_it_was() {
    for value in ["yes", "True", " true", "1"] {
        deployment().annotated(value).is_off(Reason::InvalidMark).finds(Reason::InvalidMark, value);
    }
}

#[test]
fn a_source_turns_a_workload_on_and_off() {
    deployment().source("mine").is_on(Delivery::Device).finds(Reason::MarkedBySource, "mine");
    deployment().disabling_source("mine").is_because(Reason::OptedOutBySource, "mine");
}

#[test]
fn the_label_turns_a_workload_on_and_off_in_any_case() {
    for value in ["true", "True", "TRUE"] {
        deployment().labelled(value).is_on(Delivery::Injector).finds(Reason::MarkedByLabel, "");
    }
    for value in ["false", "False", "FALSE"] {
        deployment().lumigo().labelled(value).is_off(Reason::OptedOutByLabel);
    }
}

#[test]
fn a_label_with_a_version_or_another_word_is_no_mark() {
    for value in ["lumigo-operator.v0.1.0", "yes", ""] {
        deployment().labelled(value).is_off(Reason::NotMarked);
        deployment().labelled(value).lumigo().is_on(Delivery::Injector).finds(Reason::MarkedByLumigo, "lumigo");
    }
}

#[test]
fn the_annotation_of_the_namespace_turns_its_workloads_on_and_off() {
    deployment().namespace_annotated("true").is_on(Delivery::Device).finds(Reason::MarkedByNamespaceAnnotation, "");
    deployment().namespace_annotated("false").is_off(Reason::NamespaceOptedOutByAnnotation);
    deployment().namespace_annotated("on").is_because(Reason::InvalidNamespaceMark, "on");
}

#[test]
fn a_source_of_the_namespace_turns_its_workloads_on_and_off() {
    deployment().namespace_source("all").is_on(Delivery::Device).finds(Reason::MarkedByNamespaceSource, "all");
    deployment().disabling_namespace_source("all").is_because(Reason::NamespaceOptedOutBySource, "all");
}

#[test]
fn an_active_lumigo_turns_the_workloads_of_its_namespace_on() {
    deployment().lumigo().is_on(Delivery::Injector).finds(Reason::MarkedByLumigo, "lumigo");
}

#[test]
fn a_mark_on_the_workload_wins_over_those_of_the_namespace() {
    deployment()
        .annotated("true")
        .namespace_annotated("false")
        .disabling_namespace_source("all")
        .is_on(Delivery::Device)
        .finds(Reason::MarkOverruled, "annotation odigos.io/instrument of the namespace")
        .finds(Reason::MarkOverruled, "Source all of the namespace");
    deployment()
        .labelled("false")
        .lumigo()
        .is_off(Reason::OptedOutByLabel)
        .finds(Reason::MarkOverruled, "Lumigo lumigo");
}

#[test]
fn off_beats_on_at_one_level_and_the_overruled_mark_is_named() {
    deployment()
        .annotated("true")
        .source("mine")
        .labelled("false")
        .is_off(Reason::OptedOutByLabel)
        .finds(Reason::MarkOverruled, "annotation odigos.io/instrument")
        .finds(Reason::MarkOverruled, "Source mine");
    deployment()
        .labelled("true")
        .disabling_source("mine")
        .is_off(Reason::OptedOutBySource)
        .finds(Reason::MarkOverruled, "label lumigo.auto-trace");
    deployment().namespace_annotated("false").namespace_source("all").is_off(Reason::NamespaceOptedOutByAnnotation);
    deployment().namespace_annotated("false").lumigo().is_off(Reason::NamespaceOptedOutByAnnotation);
}

#[test]
fn marks_that_agree_overrule_nothing() {
    deployment().annotated("true").source("mine").namespace_annotated("true").does_not_find(Reason::MarkOverruled);
}

#[test]
fn an_invalid_mark_of_the_namespace_is_named_even_where_the_workload_has_its_own() {
    deployment()
        .annotated("true")
        .namespace_annotated("maybe")
        .is_on(Delivery::Device)
        .finds(Reason::InvalidNamespaceMark, "maybe");
}

#[test]
fn of_two_sources_the_older_rules_and_the_other_is_named() {
    deployment()
        .source("older")
        .disabling_source("newer")
        .is_on(Delivery::Device)
        .finds(Reason::MarkedBySource, "older")
        .finds(Reason::DuplicateSource, "newer");
    deployment()
        .disabling_namespace_source("older")
        .namespace_source("newer")
        .is_off(Reason::NamespaceOptedOutBySource)
        .finds(Reason::DuplicateSource, "newer");
}

#[test]
fn marks_of_both_deliveries_at_the_winning_level_give_the_device() {
    deployment().labelled("true").annotated("true").is_on(Delivery::Device);
    deployment().labelled("true").source("mine").is_on(Delivery::Device);
    deployment().lumigo().namespace_annotated("true").is_on(Delivery::Device);
    deployment().lumigo().namespace_source("all").is_on(Delivery::Device);
}

#[test]
fn marks_below_the_winning_level_have_no_say_in_the_delivery() {
    deployment().labelled("true").namespace_annotated("true").is_on(Delivery::Injector);
    deployment().annotated("true").lumigo().is_on(Delivery::Device);
}

#[test]
fn the_delivery_can_be_chosen_for_a_workload() {
    deployment().annotated("true").delivered_by("injector").is_on(Delivery::Injector);
    deployment().lumigo().delivered_by("device").is_on(Delivery::Device).finds(Reason::DeliveredByDevice, "");
    deployment().delivered_by("device").is_off(Reason::NotMarked);
}

#[test]
fn an_invalid_delivery_is_named_and_ignored() {
    deployment().lumigo().delivered_by("Device").is_on(Delivery::Injector).finds(Reason::InvalidDelivery, "Device");
}

/// The rule of precedence, written down anew: what the marks of one level come to.
fn level(off: bool, device: bool, injector: bool) -> Option<Option<Delivery>> {
    match (off, device, injector) {
        (true, ..) => Some(None),
        (false, true, _) => Some(Some(Delivery::Device)),
        (false, false, true) => Some(Some(Delivery::Injector)),
        (false, false, false) => None,
    }
}

/// An annotation and a Source, which either level can have; the Source says whether it disables.
type Pair = (Option<&'static str>, Option<bool>);

fn is_off((annotation, source): Pair) -> bool {
    annotation.is_some_and(|value| value != "true") || source == Some(true)
}

fn is_on((annotation, source): Pair) -> bool {
    annotation == Some("true") || source == Some(false)
}

fn pairs() -> impl Iterator<Item = Pair> {
    let annotations = [None, Some("true"), Some("false"), Some("what")];
    annotations.into_iter().flat_map(|annotation| [None, Some(false), Some(true)].map(|source| (annotation, source)))
}

fn marked(own: Pair, label: Option<&str>, namespace: Pair, lumigo: bool) -> Scenario {
    let mut scenario = if lumigo { deployment().lumigo() } else { deployment() };
    scenario = own.0.into_iter().fold(scenario, Scenario::annotated);
    scenario = label.into_iter().fold(scenario, Scenario::labelled);
    scenario = namespace.0.into_iter().fold(scenario, Scenario::namespace_annotated);
    scenario = match own.1 {
        Some(true) => scenario.disabling_source("mine"),
        Some(false) => scenario.source("mine"),
        None => scenario,
    };
    match namespace.1 {
        Some(true) => scenario.disabling_namespace_source("all"),
        Some(false) => scenario.namespace_source("all"),
        None => scenario,
    }
}

#[test]
fn every_combination_of_marks_follows_the_rule() {
    for own in pairs() {
        for label in [None, Some("true"), Some("false"), Some("lumigo-operator.v1")] {
            for namespace in pairs() {
                for lumigo in [false, true] {
                    let workload_says = level(is_off(own) || label == Some("false"), is_on(own), label == Some("true"));
                    let namespace_says = level(is_off(namespace), is_on(namespace), lumigo);
                    let expected = workload_says.or(namespace_says).flatten();

                    let verdict = marked(own, label, namespace, lumigo).verdict();
                    let combination = format!("{own:?} {label:?} {namespace:?} {lumigo}: {verdict:#?}");
                    assert_eq!(verdict.delivery, expected, "{combination}");
                    assert_eq!(matches!(verdict.decision("app"), Decision::On(_)), expected.is_some(), "{combination}");
                }
            }
        }
    }
}
