//! Workloads that tests run: the sample services, each with whatever it would call switched for itself.

use epiphyte_api::WorkloadKind;
use serde_json::{Value, json};

/// A Deployment of one pod with containers as given, as strict as a namespace can demand: read-only root, no root user, no
/// rights.
pub fn deployment(name: &str, containers: &[Value]) -> Value {
    let labels = json!({ "app": name });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 1,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 1000, "runAsGroup": 1000,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "containers": containers,
                },
            },
        },
    })
}

/// A workload of a kind with containers as given, just as strict. A CronJob is suspended.
pub fn of_kind(kind: WorkloadKind, name: &str, containers: &[Value]) -> Value {
    let mut workload = deployment(name, containers);
    workload["apiVersion"] = json!(kind.api_version());
    workload["kind"] = json!(kind.as_str());
    match kind {
        WorkloadKind::Deployment | WorkloadKind::DaemonSet | WorkloadKind::ReplicaSet => {}
        WorkloadKind::StatefulSet => workload["spec"]["serviceName"] = json!("none"),
        WorkloadKind::Job | WorkloadKind::CronJob => {
            let mut template = workload["spec"]["template"].take();
            template["spec"]["restartPolicy"] = json!("Never");
            let job = json!({ "template": template });
            workload["spec"] = if kind == WorkloadKind::Job {
                job
            } else {
                json!({ "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": { "spec": job } })
            };
        }
    }
    workload
}

/// A container of an image of this repository.
pub fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name, "image": format!("epiphyte/{image}:dev"),
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
        },
    })
}

/// The same with another command than the image's.
pub fn with_command(mut container: Value, command: &[&str]) -> Value {
    container["command"] = json!(command);
    container
}

/// The same with variables.
pub fn with_env(mut container: Value, env: &[(&str, &str)]) -> Value {
    container["env"] = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    container
}

/// The same with what it asks for and what it may use.
pub fn with_resources(mut container: Value, requests: &Value, limits: &Value) -> Value {
    container["resources"] = json!({ "requests": requests, "limits": limits });
    container
}

/// The same with probes of `/healthz`, each of which is a request that leaves a span.
pub fn with_probe(mut container: Value) -> Value {
    container["readinessProbe"] =
        json!({ "httpGet": { "path": "/healthz", "port": 8080 }, "periodSeconds": 1, "timeoutSeconds": 5 });
    container
}

/// A sample service that is probed.
pub fn service(name: &str, image: &str) -> Value {
    deployment(name, &[with_probe(container("app", image))])
}
