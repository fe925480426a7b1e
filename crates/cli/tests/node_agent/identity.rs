//! Who a container is.

use std::fs;
use std::path::PathBuf;

use epiphyte_node_agent::kubelet::device_plugin::ContainerAllocateResponse;
use serde_json::json;

use crate::SHARED;
use crate::agent::Node;
use crate::pods::{bind, create, runs, unbound};
use crate::support::*;

fn file(answer: &ContainerAllocateResponse) -> PathBuf {
    PathBuf::from(&answer.mounts[1].host_path).join("identity")
}

fn lines(answer: &ContainerAllocateResponse) -> Vec<String> {
    fs::read_to_string(file(answer)).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn says(answer: &ContainerAllocateResponse, line: &str) -> bool {
    lines(answer).iter().any(|found| found == line)
}

/// Waits until the agent has seen a pod: it takes part in no more than what was seen.
async fn until_seen(cluster: &Cluster, node: &Node, namespace: &str, pod: &str) {
    until("the pod is on the node", || async {
        let object = cluster.get("v1", "pods", namespace, pod).await;
        object.is_some_and(|it| it.pointer("/spec/nodeName") == Some(&json!(node.name)))
    })
    .await;
}

#[test]
fn the_only_pod_that_waits_is_known_before_its_container_starts() {
    SHARED.run(async |cluster| {
        let namespace = "who-alone";
        let node = Node::new(cluster, "who-alone").await;
        let _agent = node.agent().await;
        cluster.namespace(namespace, None).await;
        create(cluster, namespace, "cart", &node.name, &[("app", JAVA)]).await;
        until_seen(cluster, &node, namespace, "cart").await;
        let answer = &node.kubelet.allocate(JAVA, &["java-0"]).await[0];
        // There as soon as the container may start, and before the kubelet tells.
        for line in ["service.name=cart", "k8s.pod.name=cart", "k8s.container.name=app", "k8s.node.name=who-alone"] {
            assert!(says(answer, line), "{line} in {:?}", lines(answer));
        }
    });
}

#[test]
fn a_container_that_could_be_one_of_several_is_known_once_the_kubelet_tells() {
    SHARED.run(async |cluster| {
        let namespace = "who-several";
        let node = Node::new(cluster, "who-several").await;
        let _agent = node.agent().await;
        cluster.namespace(namespace, None).await;
        cluster.apply(&source(namespace, "named", "Deployment", "shop", false)).await;
        let named = Object { api_version: "odigos.io/v1alpha1", plural: "sources", namespace, name: "named" };
        cluster.merge(&named, "", &json!({ "spec": { "otelServiceName": "storefront" } })).await;
        let mut shop = deployment(namespace, "shop");
        shop["spec"]["replicas"] = json!(2);
        shop["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "limits": { JAVA: "1" } });
        cluster.apply(&shop).await;
        let pods = unbound(cluster, namespace, "registry.test/app:1", 2).await;
        for pod in &pods {
            bind(cluster, namespace, pod, &node.name).await;
            until_seen(cluster, &node, namespace, pod).await;
        }
        let answer = &node.kubelet.allocate(JAVA, &["java-0"]).await[0];
        // The name by the Source is there already if that could be read in time.
        assert!(says(answer, "k8s.deployment.name=shop"), "what both have in common: {:?}", lines(answer));
        node.kubelet.has((namespace, &pods[1], "app"), JAVA, "java-0");
        until("it is known which it is", || async { says(answer, &format!("k8s.pod.name={}", pods[1])) }).await;
        assert!(says(answer, "service.name=storefront") && says(answer, "k8s.container.name=app"));
        runs(cluster, namespace, &pods[1]).await;
        // The other one is the only one that still waits.
        let answer = &node.kubelet.allocate(JAVA, &["java-1"]).await[0];
        assert!(says(answer, &format!("k8s.pod.name={}", pods[0])), "{:?}", lines(answer));
    });
}

#[test]
fn several_containers_of_a_pod_are_told_apart_and_a_device_does_not_remember_its_last() {
    SHARED.run(async |cluster| {
        let namespace = "who-apart";
        let node = Node::new(cluster, "who-apart").await;
        let agent = node.agent().await;
        cluster.namespace(namespace, None).await;
        create(cluster, namespace, "pair", &node.name, &[("app", JAVA), ("side", PYTHON)]).await;
        until_seen(cluster, &node, namespace, "pair").await;
        let app = &node.kubelet.allocate(JAVA, &["java-0"]).await[0];
        let side = &node.kubelet.allocate(PYTHON, &["python-0"]).await[0];
        assert!(says(app, "service.name=pair-app") && says(side, "service.name=pair-side"));
        // A stranger to the API server: nothing of the last container is left.
        cluster.kubectl(&["delete", "pod", "pair", "-n", namespace, "--force", "--grace-period=0"]);
        until("the pod is gone", || async { cluster.get("v1", "pods", namespace, "pair").await.is_none() }).await;
        let app = &node.kubelet.allocate(JAVA, &["java-0"]).await[0];
        until("nothing is left of it", || async { lines(app).is_empty() }).await;
        node.kubelet.has((namespace, "unseen", "app"), JAVA, "java-0");
        until("what the kubelet says is known", || async { says(app, "k8s.container.name=app") }).await;
        assert!(!lines(app).iter().any(|line| line.contains("pair") || line.starts_with("k8s.pod.name")));
        assert!(agent.stop());
    });
}
