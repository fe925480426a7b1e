//! An operator that starts where something is missing: it says what, and goes on or ends.

use std::net::TcpListener;
use std::path::PathBuf;

use epiphyte_api::WorkloadKind::{Deployment, StatefulSet};
use serde_json::json;

use crate::support::*;

/// The user whose rights the test grants.
const POOR: &str = "poor-operator";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_says_what_it_misses_and_goes_on_once_it_is_there() {
    let cluster = Cluster::without_definitions().await;
    unreadable_files_end_it(&cluster);
    an_api_server_that_is_gone_is_named(&cluster).await;
    missing_definitions_are_waited_for(&cluster).await;
    missing_rights_are_named(&cluster).await;
}

fn unreadable_files_end_it(cluster: &Cluster) {
    let path = |name: &str| cluster.plane.folder().join(name);
    std::fs::write(path("broken.kubeconfig"), "clusters: [").expect("a file");
    for (kubeconfig, settings, told) in [
        (Some(path("missing.kubeconfig")), "", "missing.kubeconfig"),
        (Some(path("broken.kubeconfig")), "", "broken.kubeconfig"),
        (None, "collectors: {unreadyGrace: 5m}\n", "unreadyGrace"),
        (None, "leaderElection: {leaseDuration: soon}\n", "leaseDuration"),
    ] {
        let options = OperatorOptions { kubeconfig, settings: settings.to_owned(), ..OperatorOptions::default() };
        let mut operator = Operator::start(&cluster.plane, &options);
        assert!(!operator.ends(), "it fails");
        let log = operator.log();
        assert!(log.contains("error: ") && log.contains(told), "{told} is not named:\n{log}");
    }
}

async fn an_api_server_that_is_gone_is_named(cluster: &Cluster) {
    let (kubeconfig, url) = kubeconfig_to_nowhere(cluster);
    let options = OperatorOptions { kubeconfig: Some(kubeconfig), ..OperatorOptions::default() };
    let operator = Operator::start(&cluster.plane, &options);
    until_logged(&operator, &[&url]).await;
    assert!(!operator.is_ready(), "it waits");
    assert!(operator.stop(), "it stops while it waits");
}

/// The administrator's kubeconfig with a server that is not there.
fn kubeconfig_to_nowhere(cluster: &Cluster) -> (PathBuf, String) {
    let unused = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has an address");
    let url = format!("https://{unused}");
    let config = std::fs::read_to_string(cluster.plane.kubeconfig()).expect("a kubeconfig");
    let path = cluster.plane.folder().join("nowhere.kubeconfig");
    std::fs::write(&path, config.replace(&cluster.plane.url(), &url)).expect("a file");
    (path, url)
}

async fn missing_definitions_are_waited_for(cluster: &Cluster) {
    let plurals = ["collectorsgroups", "instrumentedapplications", "lumigoes", "sources"];
    let operator = Operator::start(&cluster.plane, &OperatorOptions::default());
    until_logged(&operator, &plurals).await;
    assert!(operator.log().contains("waiting for its CustomResourceDefinition"));
    until("what is there is known", || async {
        operator
            .admin("/readyz")
            .is_some_and(|(ready, body)| !ready && body == format!("waiting for: {}\n", plurals.join(", ")))
    })
    .await;
    cluster.define();
    until("the operator leads", || async { operator.is_ready() && operator.leads() }).await;
    assert!(operator.stop());
}

async fn missing_rights_are_named(cluster: &Cluster) {
    cluster.collectors("gateway", Ready::Yes).await;
    cluster.plane.create_node(&node("node-1")).await.expect("a node");
    cluster.namespace("shop", None).await;
    grant(cluster, &["daemonsets", "statefulsets", "replicasets"], &[]).await;
    let options =
        OperatorOptions { user: POOR.to_owned(), groups: vec!["poor".to_owned()], ..OperatorOptions::default() };
    let operator = Operator::start(&cluster.plane, &options);
    until_logged(&operator, &["not allowed; grant the verbs list and watch on this resource", "resource=\"nodes\""])
        .await;
    until("only nodes are unknown", || async {
        operator.admin("/readyz").is_some_and(|(_, body)| body == "waiting for: nodes\n")
    })
    .await;

    grant(cluster, &["daemonsets", "statefulsets", "replicasets"], &["nodes"]).await;
    until("the operator leads", || async { operator.is_ready() && operator.leads() }).await;
    for manifest in [deployment("shop", "refused"), workload(StatefulSet, "shop", "served", &["app"])] {
        cluster.apply(&annotated(idle(manifest), "true")).await;
    }
    cluster.answer(Deployment, "shop", "refused", &[("app", "java")]).await;
    cluster.until_event("shop", "refused", "LumigoCannotAddInstrumentation").await;
    until_logged(&operator, &["cannot patch resource \"deployments\""]).await;
    cluster.answer(StatefulSet, "shop", "served", &[("app", "java")]).await;
    cluster.until_devices(StatefulSet, "shop", "served", &[("app", JAVA)]).await;

    grant(cluster, &["daemonsets", "statefulsets", "replicasets", "deployments"], &["nodes"]).await;
    cluster.until_devices(Deployment, "shop", "refused", &[("app", JAVA)]).await;
    assert_eq!(cluster.generation(Deployment, "shop", "refused").await, 2);
    let told = cluster.events("shop", "refused").await;
    assert_eq!(
        told.iter().filter(|reason| *reason == "LumigoCannotAddInstrumentation").count(),
        1,
        "told once: {told:?}"
    );
    assert!(operator.stop());
}

/// Grants what an operator needs, of workloads only these to be changed, and of the rest of the cluster only these to be
/// watched besides namespaces.
async fn grant(cluster: &Cluster, patched: &[&str], watched: &[&str]) {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({ "apiGroups": groups, "resources": resources, "verbs": verbs });
    let every_workload = ["deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs"];
    let mut rules = vec![
        rule(&["apps", "batch"], &every_workload, &["get", "list", "watch"]),
        rule(&["apps"], patched, &["patch"]),
        rule(&[""], &["namespaces", "configmaps"], &["get", "list", "watch"]),
        rule(&["odigos.io", "operator.lumigo.io"], &["*"], &["*"]),
        rule(&[""], &["secrets", "events"], &["get", "create", "patch"]),
        rule(&["coordination.k8s.io"], &["leases"], &["get", "create", "patch", "update"]),
        rule(&["admissionregistration.k8s.io"], &["*"], &["get", "create", "patch", "delete"]),
    ];
    if !watched.is_empty() {
        rules.push(rule(&[""], watched, &["get", "list", "watch"]));
    }
    let group = "rbac.authorization.k8s.io";
    cluster
        .apply(&json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": { "name": POOR }, "rules": rules,
        }))
        .await;
    cluster
        .apply(&json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": { "name": POOR },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": POOR },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": POOR }],
        }))
        .await;
}

/// Waits until the operator has logged all of these.
async fn until_logged(operator: &Operator, words: &[&str]) {
    until(&format!("the operator logs {words:?}"), || async {
        let log = operator.log();
        words.iter().all(|word| log.contains(word))
    })
    .await;
}
