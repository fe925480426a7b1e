//! What holds for every workload, over thousands of generated ones.
//!
//! `EPIPHYTE_PROPERTY_CASES` sets how many; the default keeps a debug build below a minute.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::num::NonZero;
use std::thread::{self, available_parallelism};

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{Container, Decision, Instrument, Manifest, Pod, Verdict};
use epiphyte_surgery::generator::{self, Sample, Scope, UNKNOWN_FIELD};
use epiphyte_surgery::{Operation, admit, normal_form, operate, restore};
use json_patch::Patch;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestError, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};

const CASES: u32 = 10_000;

#[test]
fn every_generated_workload_is_treated_by_the_rules() {
    let cases: u32 =
        std::env::var("EPIPHYTE_PROPERTY_CASES").map_or(CASES, |cases| cases.parse().expect("a number of cases"));
    let threads = u32::try_from(available_parallelism().map_or(1, NonZero::get)).expect("not that many threads");
    // A thread that fails tells why; the scope then fails too.
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| treat(cases.div_ceil(threads)));
        }
    });
}

/// Goes through so many cases, each thread by a seed of its own.
fn treat(cases: u32) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4096, ..Config::default() };
    let scope = prop_oneof![Just(Scope::Anything), Just(Scope::Valid)];
    let case = scope.prop_flat_map(generator::sample);
    let outcome =
        TestRunner::new(config).run(&(case, generator::decisions(), any::<Index>()), |(sample, decisions, change)| {
            let case = Case::new(sample, &decisions, change);
            case.patch_and_edit_agree_and_restoration_is_exact();
            case.a_second_operation_changes_nothing();
            case.a_second_restoration_changes_nothing();
            case.deliveries_in_turn_leave_no_trace();
            case.unknown_fields_survive();
            case.what_others_did_since_survives_restoration();
            case.a_bare_manifest_put_over_an_instrumented_one_gets_the_old_template();
            case.a_changed_template_is_rendered_anew();
            case.a_changed_template_keeps_what_is_to_be_kept();
            Ok(())
        });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(reason, (sample, decisions, _))) => panic!("{reason}\n{decisions:?}\n{:#}", sample.object),
    }
}

/// One generated workload with a verdict, and what operation and restoration make of it.
struct Case {
    kind: WorkloadKind,
    original: Value,
    verdict: Verdict,
    operated: Value,
    operation: Operation,
    restored: Value,
    /// Whether nothing of ours was on the original.
    clean: bool,
    /// Which text of the template somebody changes.
    change: Index,
}

impl Case {
    fn new(sample: Sample, decisions: &[Decision], change: Index) -> Self {
        let verdict = generator::verdict(&sample, decisions);
        let Sample { kind, object: original } = sample;
        let (operated, operation) = operated(kind, &original, &verdict, "1.0.0");
        let (restored, patch) = restored(kind, &original);
        Self { kind, clean: patch.is_empty(), original, verdict, operated, operation, restored, change }
    }

    fn patch_and_edit_agree_and_restoration_is_exact(&self) {
        assert_eq!(patched(&self.original, &self.operation.patch), self.operated, "the patch is not the edit");
        let (after, patch) = restored(self.kind, &self.operated);
        assert_eq!(patched(&self.operated, &patch), after, "the patch of the restoration is not the edit");
        assert_eq!(self.normal(&after), self.normal(&self.restored), "restored from {}", self.operated);
        if self.clean {
            assert_eq!(self.restored, self.original);
        }
        let (before, view) = (view(self.kind, &self.original), view(self.kind, &self.operated));
        for container in &view.containers {
            let refused = self.operation.refused.iter().any(|refusal| refusal.container == container.name);
            match self.verdict.decision(&container.name) {
                Decision::On(wanted) if !refused => assert_eq!(view.instrument(container), Some(wanted)),
                Decision::On(_) | Decision::Off => assert!(!container.is_ours()),
                Decision::Keep => {
                    let then = before.container(&container.name);
                    assert_eq!(then, Some(container));
                    let instrument = then.and_then(|then| before.instrument(then));
                    assert!(instrument.is_none() || view.instrument(container) == instrument);
                }
            }
        }
    }

    fn a_second_operation_changes_nothing(&self) {
        let (_, again) = operated(self.kind, &self.operated, &self.verdict, "2.0.0");
        assert!(again.patch.is_empty(), "{}", again.patch);
        assert_eq!(again.refused, self.operation.refused);
    }

    fn a_second_restoration_changes_nothing(&self) {
        let (_, patch) = restored(self.kind, &self.restored);
        assert!(patch.is_empty(), "{patch}");
    }

    fn deliveries_in_turn_leave_no_trace(&self) {
        let device = Decision::On(Instrument::Device(epiphyte_api::Device::Java));
        let injector = Decision::On(Instrument::Injector);
        let mut object = self.original.clone();
        for decision in [device, injector, device, Decision::Off] {
            let verdict = self.all(decision);
            object = operated(self.kind, &object, &verdict, "1.0.0").0;
        }
        assert_eq!(self.normal(&object), self.normal(&self.restored));
    }

    fn unknown_fields_survive(&self) {
        if self.clean {
            assert_eq!(unknown_fields(&self.operated), unknown_fields(&self.original));
        }
    }

    fn what_others_did_since_survives_restoration(&self) {
        let (after, _) = restored(self.kind, &self.meddled(&self.operated));
        assert_eq!(self.normal(&after), self.normal(&self.meddled(&self.restored)));
    }

    fn a_bare_manifest_put_over_an_instrumented_one_gets_the_old_template(&self) {
        if !view(self.kind, &self.operated).containers.iter().any(Container::is_ours) {
            return;
        }
        for new in [&self.restored, &self.operated] {
            let (admitted, operation) = admitted(self.kind, new, &self.operated, &self.verdict, "2.0.0");
            assert_eq!(patched(new, &operation.patch), admitted, "the patch is not the edit");
            let template = self.kind.template_pointer();
            assert_eq!(admitted.pointer(template), self.operated.pointer(template));
            assert!(new != &self.operated || operation.patch.is_empty(), "{}", operation.patch);
        }
    }

    fn a_changed_template_is_rendered_anew(&self) {
        for object in [&self.restored, &self.operated] {
            let new = self.changed(object);
            let (admitted, operation) = admitted(self.kind, &new, &self.operated, &self.verdict, "2.0.0");
            assert_eq!(patched(&new, &operation.patch), admitted, "the patch is not the edit");
            let back = restored(self.kind, &admitted).0;
            assert_eq!(self.normal(&back), self.normal(&restored(self.kind, &new).0), "the change is lost");

            let view = view(self.kind, &admitted);
            for container in &view.containers {
                let refused = operation.refused.iter().any(|refusal| refusal.container == container.name);
                match self.verdict.decision(&container.name) {
                    Decision::On(wanted) if !refused => assert_eq!(view.instrument(container), Some(wanted)),
                    Decision::On(_) | Decision::Off => assert!(!container.is_ours()),
                    Decision::Keep => {}
                }
            }
        }
    }

    fn a_changed_template_keeps_what_is_to_be_kept(&self) {
        let before = view(self.kind, &self.operated);
        let new = self.with_another_image(&self.restored);
        let (admitted, operation) = admitted(self.kind, &new, &self.operated, &self.all(Decision::Keep), "2.0.0");
        let after = view(self.kind, &admitted);
        for (then, now) in before.containers.iter().zip(&after.containers) {
            if operation.refused.iter().all(|refusal| refusal.container != now.name) {
                assert_eq!((&then.devices, then.injected), (&now.devices, now.injected));
                assert!(now.variables.without(then.variables).is_empty());
                assert!(before.instrument(then).is_none() || before.instrument(then) == after.instrument(now));
            }
        }
        assert!(!admitted.to_string().contains("epiphyte/agents:2.0.0"), "rendered anew under keep");
    }

    fn all(&self, decision: Decision) -> Verdict {
        let mut verdict = self.verdict.clone();
        verdict.containers.iter_mut().for_each(|container| container.decision = decision);
        verdict
    }

    fn normal(&self, object: &Value) -> Value {
        let mut object = object.clone();
        normal_form(self.kind, &mut object);
        object
    }

    /// The object after a change somewhere in its template.
    fn changed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let mut texts = Vec::new();
        collect_texts(object.pointer_mut(self.kind.template_pointer()).expect("a template"), &mut texts);
        let index = self.change.index(texts.len());
        texts[index].push_str("-changed");
        object
    }

    fn with_another_image(&self, object: &Value) -> Value {
        let mut object = object.clone();
        *object.pointer_mut(&self.pod("/containers/0/image")).expect("an image") = "shop/checkout:1.5.0".into();
        object
    }

    /// What other webhooks and managers may do: lists are sorted anew, and every container gets things of theirs.
    fn meddled(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let pod = object.pointer_mut(&self.pod("")).expect("a pod");
        for container in pod["containers"].as_array_mut().expect("containers") {
            add(container, "env", json!({ "name": "MESH", "value": "on" }));
            add(container, "volumeMounts", json!({ "name": "mesh", "mountPath": "/mesh" }));
            for list in ["env", "volumeMounts"] {
                sort(container, list);
            }
        }
        add(pod, "volumes", json!({ "name": "mesh", "emptyDir": {} }));
        add(pod, "initContainers", json!({ "name": "mesh-init", "image": "mesh/init:1" }));
        for list in ["containers", "initContainers", "volumes"] {
            sort(pod, list);
        }
        object
    }

    fn pod(&self, path: &str) -> String {
        format!("{}/spec{path}", self.kind.template_pointer())
    }
}

fn operated(kind: WorkloadKind, object: &Value, verdict: &Verdict, version: &str) -> (Value, Operation) {
    let mut object = object.clone();
    let operation = operate(kind, &mut object, verdict, &generator::rendering(version)).expect("a readable workload");
    (object, operation)
}

fn admitted(kind: WorkloadKind, new: &Value, old: &Value, verdict: &Verdict, version: &str) -> (Value, Operation) {
    let mut new = new.clone();
    let operation =
        admit(kind, &mut new, Some(old), verdict, &generator::rendering(version)).expect("readable workloads");
    (new, operation)
}

fn restored(kind: WorkloadKind, object: &Value) -> (Value, Patch) {
    let mut object = object.clone();
    let patch = restore(kind, &mut object).expect("a readable workload");
    (object, patch)
}

fn patched(object: &Value, patch: &Patch) -> Value {
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).expect("a patch that applies");
    object
}

fn view(kind: WorkloadKind, object: &Value) -> Pod {
    Manifest::deserialize(object).expect("a readable workload").into_workload(kind).pod
}

fn unknown_fields(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(unknown_fields).sum(),
        Value::Object(members) => {
            usize::from(members.contains_key(UNKNOWN_FIELD)) + members.values().map(unknown_fields).sum::<usize>()
        }
        _ => 0,
    }
}

fn collect_texts<'a>(value: &'a mut Value, texts: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members.values_mut().for_each(|member| collect_texts(member, texts)),
        _ => {}
    }
}

fn add(parent: &mut Value, list: &str, item: Value) {
    match &mut parent[list] {
        Value::Array(items) => items.push(item),
        missing => *missing = json!([item]),
    }
}

fn sort(parent: &mut Value, list: &str) {
    let items = parent[list].as_array_mut().expect("a list");
    items.sort_by_key(|item| std::cmp::Reverse(item["name"].as_str().map(str::to_owned)));
}
