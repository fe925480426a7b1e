//! Manifests that tests apply.

use epiphyte_api::{Device, WorkloadKind};
use epiphyte_testbed::FakeNode;
use serde_json::{Value, json};

pub const JAVA: &str = Device::Java.resource();
pub const PYTHON: &str = Device::Python.resource();
pub const JAVASCRIPT: &str = Device::JavaScript.resource();
pub const GO: &str = Device::Go.resource();

/// Settings of operators of which the next one is to take over soon.
pub const SHORT_LEASE: &str = "leaderElection: {leaseDuration: 5s}\n";

/// A manifest without a pod to run.
pub fn idle(mut manifest: Value) -> Value {
    manifest["spec"]["replicas"] = json!(0);
    manifest
}

/// A ready node that offers every device.
pub fn node(name: &str) -> FakeNode {
    Device::ALL.into_iter().fold(FakeNode::new(name), |node, device| node.offers(device.resource(), "100"))
}

/// A workload with containers of the given names.
pub fn workload(kind: WorkloadKind, namespace: &str, name: &str, containers: &[&str]) -> Value {
    let labels = json!({ "app": name.chars().take(60).collect::<String>() });
    let container = |name: &&str| json!({ "name": name, "image": format!("registry.test/{name}:1") });
    let restart = if kind == WorkloadKind::Job || kind == WorkloadKind::CronJob { "Never" } else { "Always" };
    let template = json!({
        "metadata": { "labels": labels },
        "spec": { "restartPolicy": restart, "containers": containers.iter().map(container).collect::<Vec<_>>() },
    });
    let spec = match kind {
        WorkloadKind::Deployment | WorkloadKind::ReplicaSet => {
            json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": template })
        }
        WorkloadKind::StatefulSet => {
            json!({ "replicas": 1, "serviceName": "none", "selector": { "matchLabels": labels }, "template": template })
        }
        WorkloadKind::DaemonSet => json!({ "selector": { "matchLabels": labels }, "template": template }),
        WorkloadKind::Job => json!({ "template": template }),
        WorkloadKind::CronJob => {
            json!({ "schedule": "0 0 1 1 *", "jobTemplate": { "spec": { "template": template } } })
        }
    };
    json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(),
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}

/// A Deployment with one container `app`.
pub fn deployment(namespace: &str, name: &str) -> Value {
    workload(WorkloadKind::Deployment, namespace, name, &["app"])
}

/// The manifest with the annotation that marks it.
pub fn annotated(mut manifest: Value, value: &str) -> Value {
    manifest["metadata"]["annotations"] = json!({ "odigos.io/instrument": value });
    manifest
}

/// The manifest with the label that marks it.
pub fn labelled(mut manifest: Value, value: &str) -> Value {
    manifest["metadata"]["labels"] = json!({ "lumigo.auto-trace": value });
    manifest
}

/// A Source that names a workload, or a namespace where `kind` is `Namespace`.
pub fn source(namespace: &str, name: &str, kind: &str, target: &str, disables: bool) -> Value {
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "Source", "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "workload": { "kind": kind, "name": target, "namespace": namespace }, "disableInstrumentation": disables,
        },
    })
}

/// The devices that a workload's containers ask for, by container.
pub fn devices_of(kind: WorkloadKind, workload: &Value) -> Vec<(String, String)> {
    let containers = workload.pointer(kind.template_pointer()).and_then(|it| it.pointer("/spec/containers"));
    let containers = containers.and_then(Value::as_array).cloned().unwrap_or_default();
    let devices = containers.iter().flat_map(|container| {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let limits = container.pointer("/resources/limits").and_then(Value::as_object).cloned().unwrap_or_default();
        limits
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key.starts_with("instrumentation.odigos.io/"))
            .map(move |key| (name.clone(), key))
    });
    devices.collect()
}

/// A tenant's token.
pub const TOKEN: &str = "t_0123456789abcdef01234";

/// The Secret `lumigo-credentials` with a value under `token`.
pub fn token_secret(namespace: &str, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "lumigo-credentials", "namespace": namespace },
        "stringData": { "token": token },
    })
}

/// A Lumigo that names the Secret `lumigo-credentials`.
pub fn lumigo_object(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "operator.lumigo.io/v1", "kind": "Lumigo",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "lumigoToken": { "secretRef": { "name": "lumigo-credentials", "key": "token" } } },
    })
}
