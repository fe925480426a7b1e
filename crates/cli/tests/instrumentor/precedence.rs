//! Which mark rules, and which delivery follows from it.

use serde_json::{Value, json};

use crate::SHARED;
use crate::subject::*;
use crate::support::*;

/// The manifest with the annotation that chooses a delivery, and the marks that it has.
fn delivered_by(mut manifest: Value, delivery: &str) -> Value {
    manifest["metadata"]["annotations"]["epiphyte.dev/delivery"] = json!(delivery);
    manifest
}

#[test]
fn off_beats_on_at_the_level_of_the_workload() {
    SHARED.run(async |cluster| {
        cluster.namespace("off-beats-on", None).await;
        cluster.create(&source("off-beats-on", "no-one", "Deployment", "one", true)).await;
        cluster.create(&source("off-beats-on", "yes-two", "Deployment", "two", false)).await;
        let one = annotated(deployment("off-beats-on", "one"), "true");
        let two = annotated(deployment("off-beats-on", "two"), "false");
        let three = annotated(labelled(deployment("off-beats-on", "three"), "true"), "false");
        let four = annotated(labelled(deployment("off-beats-on", "four"), "false"), "true");
        let mut subjects = Vec::new();
        for manifest in [one, two, three, four] {
            subjects.push(Subject::create(cluster, &manifest).await);
        }
        witness(cluster, "off-beats-on").await;
        for subject in subjects {
            subject.assert_untouched().await;
        }
    });
}

#[test]
fn off_beats_on_at_the_level_of_the_namespace() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-off-one", Some("false")).await;
        cluster.create(&source("ns-off-one", "all", "Namespace", "ns-off-one", false)).await;
        cluster.namespace("ns-off-two", Some("true")).await;
        cluster.create(&source("ns-off-two", "none", "Namespace", "ns-off-two", true)).await;
        cluster.namespace("ns-off-three", Some("false")).await;
        cluster.lumigo("ns-off-three").await;
        // All this is known before the workloads come.
        witness(cluster, "ns-off-known").await;
        let mut subjects = Vec::new();
        for namespace in ["ns-off-one", "ns-off-two", "ns-off-three"] {
            subjects.push(Subject::create(cluster, &deployment(namespace, "cart")).await);
        }
        witness(cluster, "ns-off").await;
        for subject in subjects {
            subject.assert_untouched().await;
        }
    });
}

#[test]
fn a_mark_of_the_workload_beats_those_of_its_namespace() {
    SHARED.run(async |cluster| {
        cluster.namespace("specific-on", Some("false")).await;
        cluster.create(&source("specific-on", "none", "Namespace", "specific-on", true)).await;
        let on = Subject::instrumented(cluster, deployment("specific-on", "on")).await;
        assert_eq!(on.generation().await, 2);

        cluster.namespace("specific-off", Some("true")).await;
        let off = Subject::create(cluster, &annotated(deployment("specific-off", "off"), "false")).await;
        witness(cluster, "specific-off").await;
        off.assert_untouched().await;
    });
}

#[test]
fn where_both_deliveries_are_marked_at_one_level_the_device_delivers() {
    SHARED.run(async |cluster| {
        cluster.namespace("both", None).await;
        let both = labelled(deployment("both", "workload"), "true");
        let both = Subject::instrumented(cluster, both).await;
        assert!(!is_injected(&both.template().await));
        assert_eq!(both.generation().await, 2);

        cluster.namespace("both-ns", Some("true")).await;
        cluster.lumigo("both-ns").await;
        witness(cluster, "both-ns").await;
        let cart = Subject::create(cluster, &deployment("both-ns", "cart")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        let template = cart.template().await;
        assert!(!template.to_string().contains("lumigo-injector"), "{template}");
        let token = template.pointer("/spec/containers/0/env/0/valueFrom/secretKeyRef");
        assert_eq!(token, Some(&json!({ "name": "lumigo-credentials", "key": "token", "optional": true })));
    });
}

#[test]
fn an_annotation_of_the_workload_overrides_the_delivery() {
    SHARED.run(async |cluster| {
        cluster.namespace("delivery", None).await;
        let injected = annotated(deployment("delivery", "injected"), "true");
        let injected = Subject::create(cluster, &delivered_by(injected, "injector")).await;
        injected.until_injected().await;
        let by_device = delivered_by(labelled(deployment("delivery", "by-device"), "true"), "device");
        let by_device = Subject::create(cluster, &by_device).await;
        by_device.answer(&[("app", "javascript")]).await;
        by_device.until_devices(&[("app", JAVASCRIPT)]).await;
        assert!(!is_injected(&by_device.template().await));
        assert!(injected.details().await.is_none());
    });
}

#[test]
fn a_change_of_delivery_is_one_change_of_the_template() {
    SHARED.run(async |cluster| {
        cluster.namespace("redelivery", None).await;
        let cart = Subject::instrumented(cluster, deployment("redelivery", "cart")).await;
        cart.merge(&json!({ "metadata": { "annotations": { "epiphyte.dev/delivery": "injector" } } })).await;
        cart.until_injected().await;
        assert_eq!(cart.generation().await, 3);
        assert!(devices_of(cart.kind, &cart.object().await).is_empty());
    });
}
