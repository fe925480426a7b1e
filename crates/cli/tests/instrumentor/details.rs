//! Runtime details, the second condition: gained, lost, deleted by hand, collected.

use serde_json::{Value, json};

use crate::SHARED;
use crate::subject::*;
use crate::support::*;

#[test]
fn a_marked_workload_waits_for_details_with_a_served_language_and_goes_without_them() {
    SHARED.run(async |cluster| {
        cluster.namespace("language", None).await;
        let cart = Subject::create(cluster, &annotated(deployment("language", "cart"), "true")).await;
        cart.until_reason("RuntimeDetected", "WaitingForDetection").await;
        let asked = cart.details().await.expect("the operator asks");
        assert_eq!(asked.pointer("/metadata/labels/epiphyte.dev~1detect"), Some(&json!("pending")));
        let request = json!([{ "containerName": "app", "image": "registry.test/app:1" }]);
        assert_eq!(asked.pointer("/spec/request"), Some(&request));

        cart.answer(&[("app", "ruby")]).await;
        cart.until_reason("RuntimeDetected", "NoSupportedLanguage").await;
        cart.until_verdict("app", "off", "LanguageNotSupported").await;
        assert_eq!(cart.generation().await, 1);

        cart.rewrite_details(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cart.until_reason("RuntimeDetected", "RuntimeDetected").await;
        assert_eq!(cart.generation().await, 2);

        cart.rewrite_details(&[("app", "ruby")]).await;
        cart.until_bare().await;
        cart.until_reason("Instrumented", "NoSupportedLanguage").await;
        assert_eq!((cart.generation().await, cart.writes()), (3, 2));
    });
}

#[test]
fn details_deleted_by_hand_come_back_without_a_rollout() {
    SHARED.run(async |cluster| {
        cluster.namespace("by-hand", None).await;
        let cart = Subject::instrumented(cluster, deployment("by-hand", "cart")).await;
        let uid = |details: Option<Value>| details.and_then(|it| it.pointer("/metadata/uid").cloned());
        let first = uid(cart.details().await);
        delete_details(cluster, "by-hand", &cart.details_name()).await;
        until("the details come back", || async {
            let now = uid(cart.details().await);
            now.is_some() && now != first
        })
        .await;
        let details = cart.details().await.expect("they came back");
        assert_eq!(details.pointer("/metadata/labels/epiphyte.dev~1detect"), Some(&json!("pending")));
        cart.until_reason("RuntimeDetected", "WaitingForDetection").await;
        witness(cluster, "by-hand-pending").await;
        assert_eq!((cart.generation().await, cart.writes()), (2, 1));

        cart.answer(&[("app", "java")]).await;
        cart.until_reason("Instrumented", "Instrumented").await;
        witness(cluster, "by-hand-answered").await;
        assert_eq!((cart.generation().await, cart.writes()), (2, 1));
        cart.until_devices(&[("app", JAVA)]).await;
    });
}

#[test]
fn details_go_with_their_workload_also_those_that_were_made_by_hand() {
    SHARED.run(async |cluster| {
        cluster.namespace("collected", None).await;
        let asked = Subject::instrumented(cluster, deployment("collected", "asked")).await;
        cluster.create(&hand_made("collected", "deployment-given", &[("app", "java")])).await;
        let given = Subject::create(cluster, &annotated(deployment("collected", "given"), "true")).await;
        given.until_devices(&[("app", JAVA)]).await;
        for subject in [&asked, &given] {
            let workload = subject.object().await;
            until(&format!("{subject} owns its details"), || async {
                let owners = subject.details().await.and_then(|it| it.pointer("/metadata/ownerReferences").cloned());
                let owners = owners.and_then(|it| it.as_array().cloned()).unwrap_or_default();
                owners.len() == 1 && owners.iter().all(|owner| owner["uid"] == workload["metadata"]["uid"])
            })
            .await;
            subject.delete().await;
        }
        for subject in [&asked, &given] {
            subject.until_details_are_gone().await;
        }
    });
}

#[test]
fn another_image_is_asked_about_again_and_nothing_is_taken_off_meanwhile() {
    SHARED.run(async |cluster| {
        cluster.namespace("image", None).await;
        let cart = Subject::instrumented(cluster, deployment("image", "cart")).await;
        let image = |image: &str| json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
        cluster
            .send(
                "PATCH",
                "/apis/apps/v1/namespaces/image/deployments/cart",
                "application/json-patch+json",
                &image("registry.test/app:2"),
            )
            .await
            .expect("the image is changed");
        until("the operator asks again", || async {
            let details = cart.details().await.unwrap_or_default();
            details.pointer("/metadata/labels/epiphyte.dev~1detect") == Some(&json!("pending"))
                && details.pointer("/spec/request/0/image") == Some(&json!("registry.test/app:2"))
        })
        .await;
        cart.until_reason("RuntimeDetected", "WaitingForDetection").await;
        cart.until_devices(&[("app", JAVA)]).await;
        assert_eq!((cart.generation().await, cart.writes()), (3, 1));
    });
}

/// An `InstrumentedApplication` as a person or another node agent makes it.
pub fn hand_made(namespace: &str, name: &str, languages: &[(&str, &str)]) -> Value {
    let entry = |(container, language): &(&str, &str)| json!({ "containerName": container, "language": language });
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentedApplication",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "languages": languages.iter().map(entry).collect::<Vec<_>>() },
    })
}

async fn delete_details(cluster: &Cluster, namespace: &str, name: &str) {
    let api_version = "odigos.io/v1alpha1";
    cluster.delete(&Object { api_version, plural: "instrumentedapplications", namespace, name }).await;
}
