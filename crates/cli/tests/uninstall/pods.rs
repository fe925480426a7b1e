//! Pods that run on, namespaces that others use, and what Helm keeps.

use epiphyte_api::WorkloadKind::ReplicaSet;
use serde_json::{Value, json};

use crate::scene::*;
use crate::support::*;

const PART_OF: &str = "app.kubernetes.io/part-of";

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_by_itself_is_named() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&short_lease()).await;
    cluster.namespace("bare", None).await;
    a_pod_that_nobody_replaces_runs_on(&cluster).await;
    installed_objects_go_but_what_is_others_stays(&cluster).await;
    what_cannot_be_looked_at_is_not_clean(&cluster);
    operator.kill();
}

fn what_cannot_be_looked_at_is_not_clean(cluster: &Cluster) {
    let nobody = cluster.plane.user("nobody", &[]).expect("a kubeconfig");
    let output = command(cluster).args(["audit", "-o", "json"]).env("KUBECONFIG", nobody).output().expect("it runs");
    let audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &audit["clean"]), (Some(1), &json!(false)));
    let told = audit["notLookedAt"].to_string();
    assert!(told.contains("grant the verb list on deployments.apps") && told.contains("pods"), "{told}");
    let output = command(cluster)
        .args(["operator", "--uninstall", "--timeout", "5s"])
        .env("KUBECONFIG", cluster.plane.user("nobody", &[]).expect("a kubeconfig"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("grant the verb"), "{said}");
}

async fn a_pod_that_nobody_replaces_runs_on(cluster: &Cluster) {
    cluster.apply(&labelled(workload(ReplicaSet, "bare", "alone", &["app"]), "true")).await;
    until("its pod is made", || async { cluster.list("v1", "pods", "bare").await.len() == 1 }).await;
    withdraw_devices(cluster).await;
    let said = uninstalled(cluster, &["--keep-crds"]).await;
    assert_eq!((said.code, &said.report["outcome"]), (Some(1), &"incomplete".into()), "{said:#?}");
    let left = said.leftovers();
    assert!(left.len() == 1 && left[0].starts_with("Pod bare/alone-"), "{said:#?}");
    assert!(!is_marked(cluster).await, "no workload is stuck");
    cluster.kubectl(&["delete", "pods", "--all", "-n", "bare"]);
    until("its pod is made anew", || async {
        let pods = cluster.list("v1", "pods", "bare").await;
        pods.len() == 1 && pods[0]["spec"]["initContainers"].is_null()
    })
    .await;
    assert_eq!(audit(cluster, &["--keep-crds"]), (Vec::new(), Some(0)));
}

fn labelled_object(api_version: &str, kind: &str, namespace: &str, name: &str, rest: Value) -> Value {
    let mut object = rest;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object["metadata"] = json!({ "name": name, "labels": { PART_OF: "epiphyte" } });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

async fn installed_objects_go_but_what_is_others_stays(cluster: &Cluster) {
    let rbac = "rbac.authorization.k8s.io/v1";
    let of_helm = |mut object: Value| {
        object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        object
    };
    let objects = [
        labelled_object("v1", "Namespace", "", "ours", json!({})),
        labelled_object("v1", "Namespace", "", "shared", json!({})),
        labelled_object("v1", "ServiceAccount", "ours", "epiphyte-operator", json!({})),
        labelled_object("v1", "ConfigMap", "ours", "settings", json!({ "data": { "a": "b" } })),
        labelled_object(rbac, "ClusterRole", "", "epiphyte-operator", json!({ "rules": [] })),
        of_helm(labelled_object("v1", "ConfigMap", "shared", "of-helm", json!({}))),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "others", "namespace": "shared" } }),
    ];
    for object in &objects {
        cluster.kubectl_with(&["apply", "-f", "-"], object);
    }
    let said = uninstalled(cluster, &[]).await;
    said.assert_uninstalled();
    assert!(said.progress.contains("Namespace shared stays: ConfigMap others is not ours"), "{said:#?}");
    assert!(cluster.get("v1", "namespaces", "", "ours").await.is_none());
    assert!(cluster.get(rbac, "clusterroles", "", "epiphyte-operator").await.is_none());
    for kept in ["others", "of-helm"] {
        assert!(cluster.get("v1", "configmaps", "shared", kept).await.is_some(), "{kept}");
    }
    let removed = said.report["removed"].as_array().expect("a list");
    assert!(removed.contains(&json!("ConfigMap ours/settings")), "{said:#?}");
}
