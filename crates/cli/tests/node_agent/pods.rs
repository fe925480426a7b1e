//! Pods without a kubelet: bound to a node, and with the status that a kubelet would give them.

use serde_json::{Value, json};

use crate::proc::container_id;
use crate::support::{Cluster, Object, until};

/// Waits for pods of a Deployment whose only container `app` runs this image, and gives the names of as many that are on no
/// node yet.
pub async fn unbound(cluster: &Cluster, namespace: &str, image: &str, count: usize) -> Vec<String> {
    let names = async || {
        let pods = cluster.list("v1", "pods", namespace).await;
        let free = |pod: &&Value| {
            pod.pointer("/spec/nodeName").is_none() && pod.pointer("/spec/containers/0/image") == Some(&json!(image))
        };
        pods.iter()
            .filter(free)
            .filter_map(|pod| Some(pod.pointer("/metadata/name")?.as_str()?.to_owned()))
            .collect::<Vec<_>>()
    };
    until(&format!("{count} pods of {image}"), || async { names().await.len() >= count }).await;
    names().await.into_iter().take(count).collect()
}

/// Puts a pod on a node.
pub async fn bind(cluster: &Cluster, namespace: &str, pod: &str, node: &str) {
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": pod },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/binding");
    // The answer is a Status.
    cluster.send("POST", &path, "application/json", &binding).await.expect("the pod is bound");
}

/// Says that all containers of a pod run and are ready; their ids are those of `<pod>/<container>`.
pub async fn runs(cluster: &Cluster, namespace: &str, pod: &str) {
    let object = cluster.get("v1", "pods", namespace, pod).await.expect("the pod");
    let containers = object.pointer("/spec/containers").and_then(Value::as_array).cloned().unwrap_or_default();
    let status = |container: Value| {
        let name = container["name"].as_str().expect("a name").to_owned();
        json!({
            "name": name, "ready": true, "started": true, "restartCount": 0, "image": container["image"],
            "imageID": "registry.test/digest@sha256:1",
            "containerID": format!("containerd://{}", container_id(&format!("{pod}/{name}"))),
            "state": { "running": { "startedAt": "2026-01-01T00:00:05Z" } },
        })
    };
    let statuses: Vec<Value> = containers.into_iter().map(status).collect();
    let of = Object { api_version: "v1", plural: "pods", namespace, name: pod };
    let status = json!({ "phase": "Running", "startTime": "2026-01-01T00:00:00Z", "containerStatuses": statuses });
    cluster.merge(&of, "status", &json!({ "status": status })).await;
}

/// A pod by itself on a node, whose containers ask for these devices.
pub async fn create(cluster: &Cluster, namespace: &str, pod: &str, node: &str, containers: &[(&str, &str)]) -> Value {
    let container = |(name, device): &(&str, &str)| json!({ "name": name, "image": "app:1", "resources": { "limits": { *device: "1" } } });
    let containers: Vec<Value> = containers.iter().map(container).collect();
    cluster
        .create(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": pod, "namespace": namespace },
            "spec": { "nodeName": node, "containers": containers },
        }))
        .await
}
