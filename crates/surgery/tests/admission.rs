//! What becomes of an update under admission, by example.

mod workload;

use epiphyte_plan::Decision;
use epiphyte_surgery::generator;
use serde_json::{Value, json};
use workload::{DEVICE, INJECTOR, OFF, Subject, deployment};

fn bare() -> Value {
    deployment(json!({ "name": "app", "image": "shop/checkout:1", "env": [{ "name": "PORT", "value": "8080" }] }))
}

/// The object instrumented by version 1.0.0, under an operator of version 2.0.0 with another image of the agents.
fn instrumented(decision: Decision) -> Subject {
    let mut subject = Subject::new(bare());
    subject.operate(decision);
    subject.rendering = generator::rendering("2.0.0");
    subject.rendering.traces_endpoint = "http://elsewhere:4318/v1/traces".to_owned();
    subject
}

#[test]
fn a_bare_manifest_applied_over_an_instrumented_one_gets_the_old_parts_back() {
    for decision in [DEVICE, INJECTOR] {
        let mut subject = instrumented(decision);
        let old = subject.object.clone();
        subject.admit(bare(), decision);
        assert_eq!(subject.object, old);
    }
}

#[test]
fn an_update_that_leaves_the_template_alone_is_left_alone() {
    let mut subject = instrumented(INJECTOR);
    let mut scaled = subject.object.clone();
    scaled["spec"]["replicas"] = json!(3);
    assert_eq!(subject.admit(scaled, INJECTOR), json!([]));
}

#[test]
fn lists_that_others_reordered_stay_as_they_were() {
    let mut subject = instrumented(INJECTOR);
    let env = subject.object.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
    env.expect("variables").rotate_left(1);
    let old = subject.object.clone();
    subject.admit(bare(), INJECTOR);
    assert_eq!(subject.object, old);
}

#[test]
fn a_template_that_changes_anyway_gets_our_parts_anew() {
    for is_bare in [true, false] {
        let mut subject = instrumented(INJECTOR);
        let mut new = if is_bare { bare() } else { subject.object.clone() };
        new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/checkout:2");
        subject.admit(new, INJECTOR);
        assert_eq!(subject.pod()["initContainers"][0]["image"], "epiphyte/agents:2.0.0");
        assert_eq!(subject.env()[3]["value"], "http://elsewhere:4318/v1/traces");
        assert_eq!(subject.object["metadata"]["labels"]["lumigo.auto-trace"], "lumigo-operator.v2.0.0");
    }
}

#[test]
fn keep_carries_our_parts_over_as_they_were_into_a_changed_template() {
    let mut subject = instrumented(INJECTOR);
    let mut new = bare();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/checkout:2");
    let mut expected = subject.object.clone();
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/checkout:2");
    subject.admit(new, Decision::Keep);
    assert_eq!(subject.object, expected);
}

#[test]
fn keep_carries_a_device_of_another_version_over() {
    let device = json!({ "limits": { "instrumentation.odigos.io/ruby-native-community": "1" } });
    let mut old = bare();
    old["spec"]["template"]["spec"]["containers"][0]["resources"] = device.clone();
    let mut new = bare();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/checkout:2");
    let mut subject = Subject::new(old);
    subject.admit(new, Decision::Keep);
    assert_eq!(subject.container()["resources"], device);
}

#[test]
fn a_verdict_that_turned_off_takes_our_parts_off_in_the_same_write() {
    let mut subject = instrumented(INJECTOR);
    let same = subject.object.clone();
    subject.admit(same, OFF);
    assert!(subject.pod().get("volumes").is_none() && subject.env().len() == 1);
}

#[test]
fn a_label_selector_that_became_empty_is_a_change() {
    let spread = |selector: Value| {
        let mut object = bare();
        object["spec"]["template"]["spec"]["topologySpreadConstraints"] =
            json!([{ "maxSkew": 1, "topologyKey": "zone", "labelSelector": selector }]);
        object
    };
    let mut subject = Subject::new(spread(json!(null)));
    subject.operate(DEVICE);
    subject.admit(spread(json!({})), DEVICE);
    assert_eq!(subject.pod()["topologySpreadConstraints"][0]["labelSelector"], json!({}));
}
