//! Devices are added only where nodes offer them, and never taken off for want of an offer.

use epiphyte_api::{Device, Reason, WorkloadKind};
use epiphyte_plan::{Delivery, Node, Operator, Requirement, Scheduling, Taint, TaintEffect, Term, Toleration};

use crate::scenario::{Scenario, deployment, entry, node, workload};

const JAVA: &str = "instrumentation.odigos.io/java-native-community";
const PYTHON: &str = "instrumentation.odigos.io/python-native-community";

fn marked() -> Scenario {
    deployment().annotated("true")
}

fn daemon_set() -> Scenario {
    workload(WorkloadKind::DaemonSet).annotated("true")
}

fn offering(name: &str) -> Node {
    node(name, &[Device::Java])
}

fn labelled(mut node: Node, key: &str, value: &str) -> Node {
    node.labels.insert(key.into(), value.into());
    node
}

fn tainted(mut node: Node, key: &str, effect: TaintEffect) -> Node {
    node.taints.push(Taint { key: key.into(), value: "yes".into(), effect });
    node
}

fn unready(node: Node) -> Node {
    Node { ready: false, ..node }
}

fn cordoned(node: Node) -> Node {
    Node { unschedulable: true, ..node }
}

fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    Requirement { key: key.into(), operator, values: values.iter().map(|value| (*value).into()).collect() }
}

fn with_labels<const N: usize>(labels: [Requirement; N]) -> Term {
    Term { labels: labels.into(), fields: Vec::new() }
}

fn affinity<const N: usize>(terms: [Term; N]) -> Scheduling {
    Scheduling { terms: Some(terms.into()), ..Scheduling::default() }
}

fn tolerating(key: Option<&str>, value: Option<&str>, effect: Option<TaintEffect>) -> Scheduling {
    let toleration = Toleration { key: key.map(Into::into), value: value.map(Into::into), effect };
    Scheduling { tolerations: vec![toleration], ..Scheduling::default() }
}

#[track_caller]
fn is_offered(scenario: Scenario) {
    scenario.is_on(Delivery::Device);
}

#[track_caller]
fn is_not_offered(scenario: Scenario) {
    scenario.is_kept(Reason::NoNodeOffersDevice).is_because(Reason::NoNodeOffersDevice, JAVA);
}

#[test]
fn one_node_that_offers_the_device_is_enough_for_most_kinds() {
    for kind in [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::CronJob] {
        is_offered(workload(kind).annotated("true").nodes([node("bare", &[]), offering("one")]));
    }
}

#[test]
fn without_an_offer_nothing_is_added() {
    is_not_offered(marked().nodes([]));
    is_not_offered(marked().nodes([node("bare", &[Device::Python])]));
    is_not_offered(marked().nodes([unready(offering("one"))]));
    is_not_offered(marked().nodes([cordoned(offering("one"))]));
    is_not_offered(marked().nodes([]).being_created());
}

#[test]
fn an_offer_that_is_gone_removes_nothing() {
    is_offered(marked().with_device(JAVA).nodes([]));
    is_offered(daemon_set().with_device(JAVA).nodes([node("bare", &[])]));
}

#[test]
fn a_bare_manifest_over_an_instrumented_one_adds_nothing_new() {
    is_offered(marked().with_device(JAVA).nodes([]).updated(|workload| workload.pod = deployment().workload.pod));
}

#[test]
fn the_device_of_another_language_stays_until_the_new_one_is_on_offer() {
    let changed = marked().with_device(PYTHON).detected([entry("app", "java")]);
    is_not_offered(changed.clone().nodes([node("one", &[Device::Python])]));
    is_offered(changed);
}

#[test]
fn the_offer_need_not_be_asked() {
    is_offered(marked().nodes([]).with(|it| it.settings.require_offer = false));
}

#[test]
fn a_daemon_set_needs_the_device_on_every_node_that_it_runs_on() {
    is_offered(daemon_set().nodes([offering("one"), offering("two")]));
    is_not_offered(daemon_set().nodes([offering("one"), node("bare", &[])]));
    is_not_offered(daemon_set().nodes([]));
}

#[test]
fn a_daemon_set_runs_on_nodes_that_are_not_ready_or_cordoned_too() {
    for hindered in [
        unready(node("two", &[])),
        cordoned(node("two", &[])),
        tainted(node("two", &[]), "node.kubernetes.io/not-ready", TaintEffect::NoExecute),
        tainted(node("two", &[]), "node.kubernetes.io/disk-pressure", TaintEffect::NoSchedule),
    ] {
        is_not_offered(daemon_set().nodes([offering("one"), hindered]));
    }
}

#[test]
fn a_daemon_set_does_not_need_the_device_where_it_does_not_run() {
    is_offered(daemon_set().nodes([offering("one"), tainted(node("two", &[]), "gpu", TaintEffect::NoSchedule)]));
    is_offered(
        daemon_set()
            .nodes([labelled(offering("one"), "disk", "ssd"), node("bare", &[])])
            .scheduled(Scheduling { selector: vec![("disk".into(), "ssd".into())], ..Scheduling::default() }),
    );
    is_not_offered(
        daemon_set()
            .nodes([offering("one"), tainted(node("two", &[]), "gpu", TaintEffect::NoSchedule)])
            .scheduled(tolerating(Some("gpu"), None, None)),
    );
}

#[test]
fn every_label_of_the_node_selector_must_match() {
    let scheduling = Scheduling {
        selector: vec![("disk".into(), "ssd".into()), ("zone".into(), "a".into())],
        ..Scheduling::default()
    };
    let ssd = || labelled(offering("one"), "disk", "ssd");
    is_offered(marked().nodes([labelled(ssd(), "zone", "a")]).scheduled(scheduling.clone()));
    is_not_offered(marked().nodes([labelled(ssd(), "zone", "b")]).scheduled(scheduling.clone()));
    is_not_offered(marked().nodes([ssd()]).scheduled(scheduling));
}

#[test]
fn a_node_name_passes_the_scheduler_by() {
    let bound = || Scheduling { node_name: Some("one".into()), ..Scheduling::default() };
    is_offered(marked().nodes([cordoned(offering("one"))]).scheduled(bound()));
    is_offered(marked().nodes([tainted(offering("one"), "gpu", TaintEffect::NoSchedule)]).scheduled(bound()));
    is_not_offered(marked().nodes([tainted(offering("one"), "gpu", TaintEffect::NoExecute)]).scheduled(bound()));
    is_not_offered(marked().nodes([node("one", &[]), offering("two")]).scheduled(bound()));
}

#[test]
fn terms_are_alternatives_and_all_requirements_of_a_term_must_hold() {
    let node = || labelled(labelled(offering("one"), "zone", "a"), "cpus", "16");
    let zone = |zone| requirement("zone", Operator::In, &[zone]);
    is_offered(marked().nodes([node()]).scheduled(affinity([with_labels([zone("b")]), with_labels([zone("a")])])));
    is_not_offered(marked().nodes([node()]).scheduled(affinity([with_labels([zone("a"), zone("b")])])));
}

#[test]
fn a_term_without_requirements_matches_no_node() {
    is_not_offered(marked().scheduled(affinity([Term::default()])));
    is_not_offered(marked().scheduled(affinity([])));
}

#[test]
fn every_operator_of_a_requirement_is_understood() {
    let node = || labelled(labelled(offering("one"), "zone", "a"), "cpus", "16");
    let cases = [
        ("zone", Operator::In, &["a", "b"][..], true),
        ("zone", Operator::In, &["b"], false),
        ("none", Operator::In, &["a"], false),
        ("zone", Operator::NotIn, &["b"], true),
        ("zone", Operator::NotIn, &["a"], false),
        ("none", Operator::NotIn, &["a"], true),
        ("zone", Operator::Exists, &[], true),
        ("none", Operator::Exists, &[], false),
        ("zone", Operator::DoesNotExist, &[], false),
        ("none", Operator::DoesNotExist, &[], true),
        ("cpus", Operator::Gt, &["8"], true),
        ("cpus", Operator::Gt, &["16"], false),
        ("cpus", Operator::Lt, &["17"], true),
        ("cpus", Operator::Lt, &["16"], false),
        ("zone", Operator::Gt, &["8"], false),
        ("cpus", Operator::Gt, &["many"], false),
        ("cpus", Operator::Gt, &["8", "9"], false),
        ("none", Operator::Lt, &["8"], false),
        ("zone", Operator::Unknown, &["a"], false),
    ];
    for (key, operator, values, expected) in cases {
        let scheduling = affinity([with_labels([requirement(key, operator, values)])]);
        let on = marked().nodes([node()]).scheduled(scheduling).verdict().containers[0].settled_by().reason;
        assert_eq!(on == Reason::Instrumented, expected, "{key} {operator:?} {values:?}");
    }
}

#[test]
fn a_term_can_ask_for_a_node_by_name() {
    let term = |key, operator| Term { labels: Vec::new(), fields: vec![requirement(key, operator, &["one"])] };
    let nodes = || [offering("one"), node("two", &[])];
    is_offered(marked().nodes(nodes()).scheduled(affinity([term("metadata.name", Operator::In)])));
    is_not_offered(marked().nodes(nodes()).scheduled(affinity([term("metadata.name", Operator::NotIn)])));
    is_not_offered(marked().nodes(nodes()).scheduled(affinity([term("metadata.name", Operator::Exists)])));
    is_not_offered(marked().nodes(nodes()).scheduled(affinity([term("metadata.uid", Operator::In)])));
}

#[test]
fn taints_keep_pods_away_unless_they_are_tolerated() {
    use TaintEffect::{NoExecute, NoSchedule};
    let nodes = || [tainted(offering("one"), "gpu", NoSchedule)];
    is_not_offered(marked().nodes(nodes()));
    let cases = [
        (Some("gpu"), Some("yes"), Some(NoSchedule), true),
        (Some("gpu"), Some("no"), Some(NoSchedule), false),
        (Some("gpu"), None, Some(NoSchedule), true),
        (Some("gpu"), None, Some(NoExecute), false),
        (Some("gpu"), None, None, true),
        (Some("cpu"), None, None, false),
        (None, None, None, true),
        (None, None, Some(NoExecute), false),
    ];
    for (key, value, effect, expected) in cases {
        let scenario = marked().nodes(nodes()).scheduled(tolerating(key, value, effect));
        let on = scenario.verdict().containers[0].settled_by().reason == Reason::Instrumented;
        assert_eq!(on, expected, "{key:?} {value:?} {effect:?}");
    }
}

#[test]
fn a_cordon_can_be_tolerated() {
    let tolerating = tolerating(Some("node.kubernetes.io/unschedulable"), None, None);
    is_offered(marked().nodes([cordoned(offering("one"))]).scheduled(tolerating));
}
