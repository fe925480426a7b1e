//! Marks on a workload.

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::json;

use crate::SHARED;
use crate::subject::*;
use crate::support::*;

#[test]
fn an_annotation_turns_a_workload_on_and_off_with_one_change_each() {
    SHARED.run(async |cluster| {
        cluster.namespace("annotation", None).await;
        let cart = Subject::create(cluster, &annotated(deployment("annotation", "cart"), "true")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cart.until_reason("Instrumented", "Instrumented").await;
        cart.until_reason("MarkedForInstrumentation", "MarkedByAnnotation").await;
        assert_eq!(cart.generation().await, 2);

        cart.annotate(Some("false")).await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
        // The write that takes the mark off takes the device along.
        assert_eq!((cart.generation().await, cart.writes()), (3, 1));

        cart.annotate(Some("true")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cart.annotate(None).await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
        // For a Deployment a change of annotations is a generation too. Who marks it again at once may find that admission has yet
        // to hear of the details' end: then the device comes with the mark, and takes no write of its own.
        let came_to = (cart.generation().await, cart.writes());
        assert!([(6, 2), (5, 1)].contains(&came_to), "{came_to:?}");
    });
}

#[test]
fn an_annotation_that_is_neither_true_nor_false_counts_as_false_and_an_event_says_so() {
    SHARED.run(async |cluster| {
        cluster.namespace("invalid-annotation", None).await;
        let cart = Subject::instrumented(cluster, deployment("invalid-annotation", "cart")).await;
        cart.annotate(Some("maybe")).await;
        cart.until_bare().await;
        cart.until_event("InvalidMark").await;
        let events = cluster.list("v1", "events", "invalid-annotation").await;
        let told: Vec<_> = events.iter().filter(|event| event["reason"] == "InvalidMark").collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told.iter().all(|event| event["type"] == "Warning" && event["involvedObject"]["kind"] == "Deployment"));
    });
}

#[test]
fn a_source_turns_a_workload_on_and_its_removal_off() {
    SHARED.run(async |cluster| {
        cluster.namespace("source", None).await;
        let cart = Subject::create(cluster, &deployment("source", "cart")).await;
        cluster.create(&source("source", "mark", "Deployment", "cart", false)).await;
        cart.answer(&[("app", "python")]).await;
        cart.until_devices(&[("app", PYTHON)]).await;
        cart.until_reason("MarkedForInstrumentation", "MarkedBySource").await;
        delete_source(cluster, "source", "mark").await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
        assert_eq!((cart.generation().await, cart.writes()), (3, 2));
    });
}

#[test]
fn a_disabling_source_turns_a_workload_off() {
    SHARED.run(async |cluster| {
        cluster.namespace("disabling-source", Some("true")).await;
        let cart = Subject::create(cluster, &deployment("disabling-source", "cart")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cluster.create(&source("disabling-source", "no-cart", "Deployment", "cart", true)).await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
    });
}

#[test]
fn a_label_in_any_case_turns_the_injector_on_and_stays_as_its_author_wrote_it() {
    SHARED.run(async |cluster| {
        cluster.namespace("label", None).await;
        for value in ["true", "True", "TRUE"] {
            let cart = Subject::create(cluster, &deployment("label", &format!("cart-{}", value.len()))).await;
            cart.label(Some(value)).await;
            cart.until_injected().await;
            assert_eq!(version_label(&cart.object().await), Some(value));
            assert_eq!(cart.generation().await, 2);
            cart.delete().await;
        }
    });
}

#[test]
fn a_label_that_goes_takes_the_injector_along() {
    SHARED.run(async |cluster| {
        cluster.namespace("label-gone", None).await;
        let cart = Subject::create(cluster, &labelled(deployment("label-gone", "cart"), "true")).await;
        cart.until_injected().await;
        cart.label(Some("False")).await;
        cart.until_bare().await;
        assert_eq!(version_label(&cart.object().await), Some("False"));
        assert_eq!(version_label(&cart.template().await), None);
    });
}

#[test]
fn a_label_that_says_false_in_any_case_keeps_a_lumigo_away() {
    SHARED.run(async |cluster| {
        cluster.namespace("label-off", None).await;
        let mut subjects = Vec::new();
        for (name, value) in [("lower", "false"), ("title", "False"), ("upper", "FALSE")] {
            subjects.push(Subject::create(cluster, &labelled(deployment("label-off", name), value)).await);
        }
        let plain = Subject::create(cluster, &deployment("label-off", "plain")).await;
        cluster.lumigo("label-off").await;
        plain.until_injected().await;
        witness(cluster, "label-off").await;
        for subject in subjects {
            subject.assert_untouched().await;
        }
    });
}

#[test]
fn what_nobody_marks_is_left_untouched() {
    SHARED.run(async |cluster| {
        cluster.namespace("unmarked", None).await;
        let plain = Subject::create(cluster, &deployment("unmarked", "plain")).await;
        // A label that says neither true nor false is no mark.
        let other = Subject::create(cluster, &labelled(deployment("unmarked", "other"), "perhaps")).await;
        let before = plain.object().await;
        witness(cluster, "unmarked").await;
        plain.assert_untouched().await;
        other.assert_untouched().await;
        let after = plain.object().await;
        assert_eq!(before["spec"], after["spec"]);
        assert_eq!(before["metadata"]["labels"], after["metadata"]["labels"]);
        assert!(cluster.events("unmarked", "plain").await.iter().all(|reason| reason == "ScalingReplicaSet"));
    });
}

#[test]
fn of_two_containers_the_one_with_a_served_language_is_on_and_the_other_says_why_not() {
    SHARED.run(async |cluster| {
        cluster.namespace("two", None).await;
        let pair = workload(Deployment, "two", "pair", &["app", "sidecar"]);
        let pair = Subject::create(cluster, &annotated(pair, "true")).await;
        pair.answer(&[("app", "java"), ("sidecar", "ruby")]).await;
        pair.until_devices(&[("app", JAVA)]).await;
        pair.until_verdict("app", "on", "Instrumented").await;
        pair.until_verdict("sidecar", "off", "LanguageNotSupported").await;
        assert_eq!(pair.template().await.pointer("/spec/containers/1/resources"), Some(&json!({})));
        assert_eq!(pair.generation().await, 2);
    });
}
