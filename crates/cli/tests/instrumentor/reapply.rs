//! A foreign manager that applies its bare manifest again and again.

use epiphyte_api::WorkloadKind::{self, Deployment, StatefulSet};
use serde_json::{Value, json};

use crate::SHARED;
use crate::subject::*;
use crate::support::*;

/// How often a manifest is applied.
const TIMES: usize = 10;

/// What is applied.
const KINDS: [WorkloadKind; 2] = [Deployment, StatefulSet];

#[test]
fn devices_survive_server_side_apply() {
    SHARED.run(async |cluster| {
        let apply = async |manifest: &Value| drop(cluster.apply(manifest).await);
        reapply(cluster, "server-side", apply, apply).await;
    });
}

#[test]
fn devices_survive_client_side_apply() {
    SHARED.run(async |cluster| {
        let apply = async |manifest: &Value| drop(cluster.kubectl_with(&["apply", "-f", "-"], manifest));
        reapply(cluster, "client-side", apply, apply).await;
    });
}

#[test]
fn devices_survive_replacement_because_the_webhook_puts_them_back_in_the_same_write() {
    SHARED.run(async |cluster| {
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        let create = async |manifest: &Value| drop(cluster.create(manifest).await);
        let replace = async |manifest: &Value| replace(cluster, manifest);
        reapply(cluster, "replaced", create, replace).await;

        let writes = cluster.plane.audit().writes_since(mark).expect("the audit log is read");
        for kind in KINDS {
            let replacements = writes.iter().filter(|entry| {
                entry.verb == "update"
                    && entry.is_about(kind.plural())
                    && entry.object_ref.as_ref().is_some_and(|it| it.namespace == "replaced")
            });
            let sent_and_kept = replacements.map(|entry| {
                let devices = |object: &Option<Value>| object.as_ref().map(|it| devices_of(kind, it).len());
                let ours =
                    entry.annotations.values().any(|it| it.contains("epiphyte") && it.contains(r#""mutated":true"#));
                (devices(&entry.request_object), devices(&entry.response_object), ours)
            });
            assert_eq!(sent_and_kept.collect::<Vec<_>>(), vec![(Some(0), Some(1), true); TIMES], "{kind}");
        }
    });
}

#[test]
fn an_injection_survives_replacement_too() {
    SHARED.run(async |cluster| {
        cluster.namespace("replaced-injection", None).await;
        let manifest = workload(StatefulSet, "replaced-injection", "cart", &["app"]);
        let manifest = labelled(manifest, "true");
        let cart = Subject::create(cluster, &manifest).await;
        cart.until_injected().await;
        for _ in 0..TIMES {
            replace(cluster, &manifest);
        }
        witness(cluster, "replaced-injection").await;
        assert!(is_injected(&cart.template().await));
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
    });
}

#[test]
fn a_manifest_with_another_image_is_one_change_with_the_device_in_it() {
    SHARED.run(async |cluster| {
        cluster.namespace("new-version", None).await;
        let mut manifest = annotated(deployment("new-version", "cart"), "true");
        let cart = Subject::instrumented(cluster, deployment("new-version", "cart")).await;
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        replace(cluster, &manifest);
        cart.until_devices(&[("app", JAVA)]).await;
        witness(cluster, "new-version").await;
        assert_eq!((cart.generation().await, cart.writes()), (3, 1));
    });
}

/// Replaces an object as a person does, who tries again where a controller has written its status meanwhile.
fn replace(cluster: &Cluster, manifest: &Value) {
    while let Err(error) = cluster.try_kubectl(&["replace", "-f", "-"], &manifest.to_string()) {
        assert!(error.contains("(Conflict)"), "{error}");
    }
}

/// Has marked workloads instrumented that a foreign manager has created, and has it apply them again and again.
async fn reapply(cluster: &Cluster, namespace: &str, create: impl AsyncFn(&Value), again: impl AsyncFn(&Value)) {
    cluster.namespace(namespace, None).await;
    let mut subjects = Vec::new();
    for kind in KINDS {
        let manifest = annotated(workload(kind, namespace, "cart", &["app"]), "true");
        let subject = Subject::of(cluster, &manifest);
        create(&manifest).await;
        subject.answer(&[("app", "java")]).await;
        subject.until_devices(&[("app", JAVA)]).await;
        assert_eq!(subject.generation().await, 2);
        subjects.push((subject, manifest));
    }
    for (subject, manifest) in &subjects {
        for _ in 0..TIMES {
            again(manifest).await;
            subject.assert_devices(&[("app", JAVA)]).await;
        }
    }
    witness(cluster, namespace).await;
    for (subject, _) in &subjects {
        subject.assert_devices(&[("app", JAVA)]).await;
        assert_eq!(subject.writes(), 1, "{subject}: the operator has nothing to put back");
    }
    // A change of annotations, which a replacement is, is a generation of a Deployment but not of a StatefulSet. A
    // rollout of a Deployment is a ReplicaSet.
    let [(deployment, _), (stateful_set, _)] = subjects.try_into().ok().expect("two kinds");
    assert!(stateful_set.generation().await <= 3, "{} generations", stateful_set.generation().await);
    let sets = cluster.list("apps/v1", "replicasets", &deployment.namespace).await;
    assert_eq!(sets.len(), 2, "one without the device and one with it");
}
