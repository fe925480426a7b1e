//! Marks on a namespace, and namespaces that no mark counts in.

use crate::subject::*;
use crate::support::*;
use crate::{IGNORED, SHARED};

#[test]
fn an_annotation_of_the_namespace_turns_its_workloads_on_and_off() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-annotation", None).await;
        let cart = Subject::create(cluster, &deployment("ns-annotation", "cart")).await;
        annotate_namespace(cluster, "ns-annotation", Some("true")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cart.until_reason("MarkedForInstrumentation", "MarkedByNamespaceAnnotation").await;
        annotate_namespace(cluster, "ns-annotation", Some("false")).await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
        assert_eq!((cart.generation().await, cart.writes()), (3, 2));
    });
}

#[test]
fn an_annotation_of_the_namespace_that_is_neither_true_nor_false_counts_as_false() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-invalid", Some("true")).await;
        let cart = Subject::create(cluster, &deployment("ns-invalid", "cart")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        annotate_namespace(cluster, "ns-invalid", Some("yes")).await;
        cart.until_bare().await;
        cart.until_event("InvalidNamespaceMark").await;
    });
}

#[test]
fn a_source_of_the_namespace_turns_its_workloads_on_and_off() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-source", None).await;
        let cart = Subject::create(cluster, &deployment("ns-source", "cart")).await;
        cluster.create(&source("ns-source", "all", "Namespace", "ns-source", false)).await;
        cart.answer(&[("app", "go")]).await;
        cart.until_devices(&[("app", GO)]).await;
        cart.until_reason("MarkedForInstrumentation", "MarkedByNamespaceSource").await;
        delete_source(cluster, "ns-source", "all").await;
        cart.until_bare().await;

        annotate_namespace(cluster, "ns-source", Some("true")).await;
        cart.answer(&[("app", "go")]).await;
        cart.until_devices(&[("app", GO)]).await;
        cluster.create(&source("ns-source", "none", "Namespace", "ns-source", true)).await;
        cart.until_bare().await;
        cart.until_details_are_gone().await;
    });
}

#[test]
fn an_active_lumigo_has_the_workloads_of_its_namespace_injected() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-lumigo", None).await;
        let cart = Subject::create(cluster, &deployment("ns-lumigo", "cart")).await;
        cluster.lumigo("ns-lumigo").await;
        cart.until_injected().await;
        cart.until_event("LumigoAddedInstrumentation").await;
        assert_eq!(version_label(&cart.object().await), version_label(&cart.template().await));
        assert_eq!((cart.generation().await, cart.writes()), (2, 1));
        assert!(cart.details().await.is_none(), "the injector asks for no details");
    });
}

#[test]
fn ignored_namespaces_are_left_alone_whatever_the_marks() {
    SHARED.run(async |cluster| {
        cluster.namespace(IGNORED, Some("true")).await;
        cluster.lumigo(IGNORED).await;
        let mut subjects = Vec::new();
        for namespace in ["kube-system", "kube-public", "kube-node-lease", SYSTEM, IGNORED] {
            let marked = annotated(deployment(namespace, "annotated"), "true");
            subjects.push(Subject::create(cluster, &marked).await);
            cluster.create(&source(namespace, "mark", "Deployment", "sourced", false)).await;
            subjects.push(Subject::create(cluster, &deployment(namespace, "sourced")).await);
            subjects.push(Subject::create(cluster, &labelled(deployment(namespace, "labelled"), "true")).await);
        }
        witness(cluster, "ignored").await;
        for subject in subjects {
            subject.assert_untouched().await;
            subject.delete().await;
        }
    });
}

#[test]
fn when_the_mark_of_a_namespace_goes_only_those_that_relied_on_it_are_reverted() {
    SHARED.run(async |cluster| {
        cluster.namespace("ns-mark-gone", Some("true")).await;
        let leaning = Subject::create(cluster, &deployment("ns-mark-gone", "leaning")).await;
        let before = leaning.template().await;
        let marked = Subject::instrumented(cluster, deployment("ns-mark-gone", "marked")).await;
        let sourced = Subject::create(cluster, &deployment("ns-mark-gone", "sourced")).await;
        cluster.create(&source("ns-mark-gone", "mark", "Deployment", "sourced", false)).await;
        for subject in [&leaning, &sourced] {
            subject.answer(&[("app", "java")]).await;
            subject.until_devices(&[("app", JAVA)]).await;
        }

        annotate_namespace(cluster, "ns-mark-gone", None).await;
        leaning.until_bare().await;
        leaning.until_details_are_gone().await;
        assert_eq!(leaning.template().await, before);
        assert_eq!(leaning.generation().await, 3);
        witness(cluster, "ns-mark-gone").await;
        for subject in [&marked, &sourced] {
            subject.until_devices(&[("app", JAVA)]).await;
            assert_eq!((subject.generation().await, subject.writes()), (2, 1), "{subject}");
            assert!(subject.details().await.is_some(), "{subject}");
        }
        let annotation = marked.object().await.pointer("/metadata/annotations/odigos.io~1instrument").cloned();
        assert_eq!(annotation, Some("true".into()));
    });
}
