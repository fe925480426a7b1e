//! Whatever the facts, there is a verdict, and it is consistent in itself.

use std::collections::BTreeMap;

use epiphyte_api::{Device, Language, WorkloadKind};
use epiphyte_plan::{
    Collectors, Container, ContainerDetails, Decision, Delivery, Details, GateState, Instrument, LumigoFact,
    NamespaceFact, Node, Operator, Part, Pod, Preload, PreloadSource, Requirement, Scheduling, SourceFact, Taint,
    TaintEffect, Term, Toleration, Variables, Workload,
};
use proptest::collection::{btree_map, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scenario::{Scenario, Stored, active_lumigo, day, workload};

const WORDS: [&str; 6] = ["", "true", "false", "app", "web", "lumigo-operator.v1"];

/// What is in the way of instrumentation is rare, so that the many things in its way leave some of it.
fn seldom() -> impl Strategy<Value = bool> + Clone {
    prop::bool::weighted(0.1)
}

fn name() -> impl Strategy<Value = Box<str>> {
    select(&["app", "app", "app", "web", "web", ""][..]).prop_map(Box::from)
}

fn image() -> impl Strategy<Value = Box<str>> {
    select(&["one", "one", "one", "two"][..]).prop_map(Box::from)
}

fn mark() -> impl Strategy<Value = Option<Box<str>>> {
    let values = ["true", "true", "TRUE", "false", "what", "lumigo-operator.v1"];
    weighted(0.3, select(values.to_vec()).prop_map(Box::from))
}

fn word() -> impl Strategy<Value = Box<str>> + Clone {
    select(&WORDS[..]).prop_map(Box::from)
}

fn container() -> impl Strategy<Value = Container> {
    let resources = [Device::Java.resource(), Device::Go.resource(), "instrumentation.odigos.io/of-tomorrow"];
    let sources = [
        PreloadSource::Unset,
        PreloadSource::Unset,
        PreloadSource::Unset,
        PreloadSource::Literal,
        PreloadSource::Reference,
        PreloadSource::Ambiguous,
    ];
    let preload = (select(sources.to_vec()), seldom(), seldom(), seldom()).prop_map(
        |(source, ends_with_injector, ends_with_device, ours_alone)| Preload {
            source,
            ends_with_injector,
            ends_with_device,
            ours_alone,
        },
    );
    let variables = select(vec![Variables::default(), Variables::default(), Variables::TOKEN, Variables::ALL]);
    let devices = proptest::sample::subsequence(resources.to_vec(), 0..=2);
    let mounts = (any::<bool>(), seldom(), seldom());
    (name(), image(), devices, preload, variables, mounts).prop_map(
        |(name, image, devices, preload, variables, (injected, mounts_over_injector, mounts_over_device))| Container {
            name,
            image,
            devices: devices.into_iter().map(Box::from).collect(),
            injected,
            preload,
            variables,
            mounts_over_injector,
            mounts_over_device,
        },
    )
}

fn effect() -> impl Strategy<Value = TaintEffect> {
    select(vec![TaintEffect::NoSchedule, TaintEffect::NoExecute])
}

fn scheduling() -> impl Strategy<Value = Scheduling> {
    let operators = [
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
        Operator::Gt,
        Operator::Lt,
        Operator::Unknown,
    ];
    let requirement = (word(), select(operators.to_vec()), vec(word(), 0..3))
        .prop_map(|(key, operator, values)| Requirement { key, operator, values });
    let requirements = vec(requirement, 0..3);
    let term = (requirements.clone(), requirements).prop_map(|(labels, fields)| Term { labels, fields });
    let toleration =
        (of(word()), of(word()), of(effect())).prop_map(|(key, value, effect)| Toleration { key, value, effect });
    (of(word()), vec((word(), word()), 0..2), of(vec(term, 0..3)), vec(toleration, 0..2))
        .prop_map(|(node_name, selector, terms, tolerations)| Scheduling { node_name, selector, terms, tolerations })
}

fn pod() -> impl Strategy<Value = Pod> {
    let part = || select(vec![Part::Absent, Part::Absent, Part::Ours, Part::Ours, Part::Foreign]);
    let os = weighted(0.2, select(vec!["linux", "windows"]));
    let arch = weighted(0.2, select(vec!["amd64", "riscv64"]));
    (vec(container(), 0..4), part(), part(), weighted(0.3, scheduling()), os, arch).prop_map(
        |(containers, volume, init_container, scheduling, os, arch)| Pod {
            containers: containers.into(),
            volume,
            init_container,
            scheduling: scheduling.map(Box::new),
            os: os.map(Box::from),
            arch: arch.map(Box::from),
        },
    )
}

fn any_workload() -> impl Strategy<Value = Workload> {
    let namespace = select(vec!["shop", "shop", "shop", "shop", "shop", "", "quiet", "kube-system"]);
    let marks = (mark(), mark(), weighted(0.3, select(vec!["device", "injector", "what"])));
    let stored = of(0_i64..40);
    (select(&WorkloadKind::ALL[..]), namespace, marks, stored, seldom(), seldom(), pod()).prop_map(
        |(kind, namespace, (annotation, label, delivery), created, deleting, controlled, pod)| Workload {
            namespace: namespace.into(),
            uid: if created.is_some() { "0001".into() } else { "".into() },
            created: created.map(day),
            deleting,
            controlled,
            annotation: annotation.as_deref().map(Into::into),
            label: label.as_deref().map(Into::into),
            delivery: delivery.map(Into::into),
            pod,
            ..workload(kind).workload
        },
    )
}

fn sources() -> impl Strategy<Value = Vec<SourceFact>> {
    vec((word(), seldom()).prop_map(|(name, disables)| SourceFact { name, disables }), 0..2)
}

fn namespace() -> impl Strategy<Value = NamespaceFact> {
    let lumigo = (of(0_i64..40), seldom(), seldom(), seldom(), any::<[bool; 2]>()).prop_map(
        |(created, deleting, inactive, disabled, [injects_existing, removes_on_deletion])| LumigoFact {
            created: created.map(day),
            deleting,
            active: !inactive,
            injects: !disabled,
            injects_existing,
            removes_on_deletion,
            ..active_lumigo()
        },
    );
    (mark(), sources(), of(lumigo)).prop_map(|(annotation, sources, lumigo)| NamespaceFact {
        annotation: annotation.as_deref().map(Into::into),
        sources,
        lumigo,
    })
}

fn details() -> impl Strategy<Value = Details> {
    let language = select(vec!["java", "java", "python", "go", "rust", "unknown", "klingon"]);
    let entry = (name(), language, of(image()), weighted(0.1, word()), seldom()).prop_map(
        |(name, language, image, other_agent, preloads)| ContainerDetails {
            name,
            language: Language::from(language),
            runtime_version: None,
            image,
            other_agent,
            preloads,
        },
    );
    (seldom(), vec(entry, 0..5)).prop_map(|(pending, containers)| Details { pending, containers: containers.into() })
}

fn collectors() -> impl Strategy<Value = Collectors> {
    let grace = any::<bool>();
    prop_oneof![
        3 => Just(Collectors::Ready),
        1 => grace.prop_map(|grace_over| Collectors::Missing { grace_over }),
        1 => grace.prop_map(|grace_over| Collectors::Unready {
            group: "gateway".into(),
            grace_over
        }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let taint = (word(), word(), effect()).prop_map(|(key, value, effect)| Taint { key, value, effect });
    let labels = btree_map(word(), word(), 0..3).prop_map(BTreeMap::from);
    let devices = proptest::sample::subsequence(Device::ALL.to_vec(), 0..=4);
    (word(), labels, vec(taint, 0..2), (seldom(), seldom()), devices).prop_map(
        |(name, labels, taints, (unschedulable, unready), devices)| Node {
            name,
            labels,
            taints,
            unschedulable,
            ready: !unready,
            devices: devices.into_iter().collect(),
        },
    )
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let stored = prop_oneof![
        Just(Stored::Same),
        Just(Stored::Nothing),
        any_workload().prop_map(|before| Stored::Before(Box::new(before)))
    ];
    let flags = (seldom(), any::<bool>());
    (any_workload(), stored, flags, namespace(), sources(), weighted(0.8, details()), collectors(), vec(node(), 0..3))
        .prop_map(|(it, stored, (uninstalling, require_offer), namespace, sources, details, collectors, nodes)| {
            let mut scenario = workload(it.kind);
            scenario.settings.require_offer = require_offer;
            Scenario { workload: it, stored, uninstalling, namespace, sources, details, collectors, nodes, ..scenario }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_verdict_is_complete_and_consistent(scenario in scenario()) {
        let verdict = scenario.verdict();
        let is_on = |decision| matches!(decision, Decision::On(_));

        let names = scenario.workload.pod.containers.iter().map(|container| &container.name);
        prop_assert!(verdict.containers.iter().map(|container| &container.name).eq(names));
        prop_assert!(verdict.containers.iter().all(|container| !container.findings.is_empty()));
        prop_assert!(!verdict.findings.is_empty());

        if scenario.uninstalling {
            prop_assert!(verdict.containers.iter().all(|container| container.decision == Decision::Off));
        }
        prop_assert!(verdict.delivery.is_none() || verdict.marked.state == GateState::Holds);
        for container in verdict.containers.iter().filter(|container| is_on(container.decision)) {
            let delivery = match container.decision {
                Decision::On(Instrument::Device(_)) => Delivery::Device,
                _ => Delivery::Injector,
            };
            prop_assert_eq!(verdict.delivery, Some(delivery));
            if delivery == Delivery::Device {
                prop_assert_eq!(verdict.detected.state, GateState::Holds);
                prop_assert_eq!(verdict.collectors.state, GateState::Holds);
            }
        }
        prop_assert_eq!(verdict.wants_details(), verdict.detected.state != GateState::Unasked);
        prop_assert_eq!(scenario.verdict(), verdict);
    }
}
