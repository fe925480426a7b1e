//! Answers to what the operator asks.

use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_testbed::Entry;
use serde_json::{Value, json};

use crate::SHARED;
use crate::agent::Node;
use crate::pods::{bind, runs, unbound};
use crate::proc::container_id;
use crate::support::*;

const JAVA_PROGRAM: &str = "/opt/java/bin/java";
const NODE_PROGRAM: &str = "/usr/bin/node";

async fn languages(cluster: &Cluster, namespace: &str, name: &str) -> Vec<Value> {
    let object = cluster.get("odigos.io/v1alpha1", "instrumentedapplications", namespace, name).await;
    let languages = object.and_then(|it| it.pointer("/spec/languages").and_then(Value::as_array).cloned());
    languages.unwrap_or_default()
}

async fn until_language(cluster: &Cluster, namespace: &str, name: &str, expected: &[(&str, &str)]) {
    until(&format!("{namespace}/{name} says {expected:?}"), || async {
        let found = languages(cluster, namespace, name).await;
        let text = |entry: &Value, member: &str| entry[member].as_str().unwrap_or_default().to_owned();
        let found: Vec<_> = found.iter().map(|it| (text(it, "containerName"), text(it, "language"))).collect();
        found.iter().map(|(name, language)| (name.as_str(), language.as_str())).collect::<Vec<_>>() == expected
    })
    .await;
}

/// Starts a pod of a Deployment on a node: its container `app` runs a program.
async fn run_on(cluster: &Cluster, node: &Node, namespace: &str, pod: &str, pid: u32, program: &str) {
    node.proc.process(pid, &container_id(&format!("{pod}/app")), program, "");
    bind(cluster, namespace, pod, &node.name).await;
    runs(cluster, namespace, pod).await;
}

#[test]
fn a_marked_workload_is_answered_for_by_the_node_that_runs_it_and_again_for_another_image() {
    SHARED.run(async |cluster| {
        let namespace = "answered";
        let node = Node::new(cluster, "detects").await;
        let agent = node.agent().await;
        cluster.namespace(namespace, Some("true")).await;
        let mut shop = deployment(namespace, "shop");
        cluster.apply(&shop).await;
        let pod = &unbound(cluster, namespace, "registry.test/app:1", 1).await[0];
        run_on(cluster, &node, namespace, pod, 10, JAVA_PROGRAM).await;
        until_language(cluster, namespace, "deployment-shop", &[("app", "java")]).await;
        let entry = &languages(cluster, namespace, "deployment-shop").await[0];
        assert_eq!(entry["image"], "registry.test/app:1");
        assert_eq!(entry["processName"], JAVA_PROGRAM);
        assert_eq!(entry["podStartTime"], "2026-01-01T00:00:00Z");
        let object = cluster.get("v1", "pods", namespace, pod).await.expect("the pod");
        assert_eq!(entry["podUID"], object["metadata"]["uid"]);
        cluster.until_devices(Deployment, namespace, "shop", &[("app", JAVA)]).await;

        shop["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        cluster.apply(&shop).await;
        let pod = &unbound(cluster, namespace, "registry.test/app:2", 1).await[0];
        run_on(cluster, &node, namespace, pod, 20, NODE_PROGRAM).await;
        until_language(cluster, namespace, "deployment-shop", &[("app", "javascript")]).await;
        assert!(agent.stop());
    });
}

#[test]
fn of_two_nodes_that_answer_at_once_one_is_heard() {
    SHARED.run(async |cluster| {
        let namespace = "two-nodes";
        let (one, other) = (Node::new(cluster, "two-a").await, Node::new(cluster, "two-b").await);
        let _agents = [one.agent().await, other.agent().await];
        cluster.namespace(namespace, None).await;
        let mut shop = deployment(namespace, "shop");
        shop["spec"]["replicas"] = json!(2);
        cluster.apply(&shop).await;
        let pods = unbound(cluster, namespace, "registry.test/app:1", 2).await;
        run_on(cluster, &one, namespace, &pods[0], 10, JAVA_PROGRAM).await;
        run_on(cluster, &other, namespace, &pods[1], 10, NODE_PROGRAM).await;
        let mark = cluster.plane.audit().mark().expect("a mark");
        // Nothing is asked before both nodes could answer.
        cluster.apply(&annotated(shop, "true")).await;
        until("one of the two has answered", || async {
            !languages(cluster, namespace, "deployment-shop").await.is_empty()
        })
        .await;
        let writes = ["agent-two-a", "agent-two-b"].map(|user| cluster.writes_of(user, mark));
        let is_heard = |entry: &&Entry| entry.verb == "patch" && entry.response_status.code == 200;
        assert_eq!(writes.iter().flatten().filter(is_heard).count(), 1);
    });
}

#[test]
fn what_cannot_be_seen_yet_is_answered_once_it_can() {
    SHARED.run(async |cluster| {
        let namespace = "vanishes";
        let node = Node::new(cluster, "patient").await;
        let agent = node.agent().await;
        cluster.namespace(namespace, Some("true")).await;
        cluster.apply(&deployment(namespace, "shop")).await;
        let pod = &unbound(cluster, namespace, "registry.test/app:1", 1).await[0];
        bind(cluster, namespace, pod, &node.name).await;
        runs(cluster, namespace, pod).await;
        until("the agent looks", || async { agent.admin.metric("epiphyte_node_scan_seconds_count", &[]) >= 2.0 }).await;
        // Looking at a container whose process has gone is tried again more and more rarely.
        assert!(agent.admin.metric("epiphyte_node_scan_seconds_count", &[]) < 10.0);
        node.proc.process(10, &container_id(&format!("{pod}/app")), JAVA_PROGRAM, "");
        until_language(cluster, namespace, "deployment-shop", &[("app", "java")]).await;
    });
}

#[test]
fn an_api_server_that_is_away_is_waited_for() {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let cluster = Cluster::bare().await;
        let node = Node::new(&cluster, "waits").await;
        let agent = node.agent().await;
        cluster.namespace("away", None).await;
        cluster.apply(&deployment("away", "shop")).await;
        let pod = &unbound(&cluster, "away", "registry.test/app:1", 1).await[0];
        run_on(&cluster, &node, "away", pod, 10, JAVA_PROGRAM).await;
        cluster.plane.restart(epiphyte_testbed::Component::ApiServer).await.expect("the API server restarts");
        let question = json!({
            "apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentedApplication",
            "metadata": { "name": "deployment-shop", "namespace": "away", "labels": { "epiphyte.dev/detect": "pending" } },
            "spec": { "request": [{ "containerName": "app", "image": "registry.test/app:1" }] },
        });
        cluster.create(&question).await;
        until_language(&cluster, "away", "deployment-shop", &[("app", "java")]).await;
        assert!(agent.stop());
    });
}
