//! Why what an upgrade put there does not come up: asked while it is there, before it is rolled back.

use serde::Deserialize as _;
use serde_json::Value;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};

use crate::helm::Helm;

/// More would not fit into an Event.
const MOST: usize = 4;

/// Longest text of somebody else's that is repeated.
const LONGEST: usize = 200;

/// What a release consists of that runs pods.
struct Workload {
    kind: String,
    namespace: String,
    name: String,
    resource: ApiResource,
}

/// What is wrong with the pods of a revision, one sentence each; empty where nothing can be told.
pub(crate) async fn cause(client: &Client, helm: &Helm, namespace: &str, release: &str, revision: u32) -> Vec<String> {
    let asked = helm.run(["get", "manifest", release, "--revision", &revision.to_string()]).await;
    let mut found = Vec::new();
    for workload in workloads(&asked.unwrap_or_default(), namespace) {
        found.extend(of_workload(client, &workload).await.unwrap_or_default());
        if found.len() >= MOST {
            break;
        }
    }
    found.dedup();
    found.truncate(MOST);
    found
}

fn workloads(manifest: &str, namespace: &str) -> Vec<Workload> {
    let documents = yaml_serde::Deserializer::from_str(manifest);
    documents
        .filter_map(|document| Value::deserialize(document).ok())
        .filter_map(|it| workload(&it, namespace))
        .collect()
}

fn workload(object: &Value, namespace: &str) -> Option<Workload> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let kind = text("/kind")?;
    let group = match kind.as_str() {
        "Deployment" | "DaemonSet" | "StatefulSet" => "apps",
        "Job" => "batch",
        _ => return None,
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", &kind));
    let namespace = text("/metadata/namespace").unwrap_or_else(|| namespace.to_owned());
    Some(Workload { kind, namespace, name: text("/metadata/name")?, resource })
}

async fn of_workload(client: &Client, workload: &Workload) -> kube::Result<Vec<String>> {
    let Workload { kind, namespace, name, resource } = workload;
    let object = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, resource).get(name).await?.data;
    let pods = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    let pods = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &pods);
    let selector = ListParams::default().labels(&selector(&object));
    let of_pods: Vec<String> = pods.list(&selector).await?.items.iter().filter_map(|pod| of_pod(&pod.data)).collect();
    let found = of_conditions(&object).into_iter().chain(of_pods);
    let mut found: Vec<String> = found.map(|why| format!("{kind} {namespace}/{name}: {why}")).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        found.extend(missing(&object).map(|missing| format!("{kind} {namespace}/{name}: {missing}")));
    }
    Ok(found)
}

/// The pods of a workload, as far as its labels tell.
fn selector(workload: &Value) -> String {
    let labels = workload.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
    labels.into_iter().flatten().filter_map(pair).collect::<Vec<_>>().join(",")
}

/// What a workload says is wrong: that its pods cannot be made, or that it failed.
fn of_conditions(workload: &Value) -> Option<String> {
    let conditions = workload.pointer("/status/conditions")?.as_array()?;
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tells = |condition: &&Value| {
        text(condition, "status") == "True" && matches!(text(condition, "type").as_str(), "ReplicaFailure" | "Failed")
    };
    let told = conditions.iter().find(tells)?;
    Some(format!("{}: {}", text(told, "reason"), cut(&text(told, "message"))))
}

/// What keeps a pod from being ready.
fn of_pod(pod: &Value) -> Option<String> {
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let text = |value: &Value, key: &str| value.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let containers = list("/status/initContainerStatuses").chain(list("/status/containerStatuses"));
    for container in containers {
        let name = text(container, "/name");
        let waits = text(container, "/state/waiting/reason");
        if !matches!(waits.as_str(), "" | "ContainerCreating" | "PodInitializing") {
            let message = text(container, "/state/waiting/message");
            let ended = container.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64);
            let ended = ended.map(|code| format!(", its last exit code was {code}")).unwrap_or_default();
            return Some(format!("container {name}: {waits}{ended}: {}", cut(&message)));
        }
        let ended = container.pointer("/state/terminated/exitCode").and_then(Value::as_i64);
        if let Some(code) = ended.filter(|code| *code != 0) {
            return Some(format!(
                "container {name} ended with {code}: {}",
                text(container, "/state/terminated/reason")
            ));
        }
        let ready = container.get("ready").and_then(Value::as_bool);
        if ready == Some(false) && container.pointer("/state/running").is_some() {
            return Some(format!("container {name} runs and is not ready"));
        }
    }
    let unscheduled = |it: &&Value| text(it, "/type") == "PodScheduled" && text(it, "/status") == "False";
    let unscheduled = list("/status/conditions").find(unscheduled)?;
    Some(format!("{}: {}", text(unscheduled, "/reason"), cut(&text(unscheduled, "/message"))))
}

/// How many pods a workload lacks, where nothing says why.
fn missing(workload: &Value) -> Option<String> {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").or_else(|| number("/status/desiredNumberScheduled"))?;
    let there = number("/status/updatedReplicas").or_else(|| number("/status/updatedNumberScheduled")).unwrap_or(0);
    let ready = number("/status/readyReplicas").or_else(|| number("/status/numberReady")).unwrap_or(0);
    (ready < wanted || there < wanted).then(|| format!("{ready} of {wanted} pods are ready, {there} of them are new"))
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = line.chars().take(LONGEST).collect();
    if cut.len() < line.len() {
        cut.push_str(" ...");
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_says_why_it_is_not_ready() {
        let container =
            |state: Value| json!({"status": {"containerStatuses": [{"name": "c", "ready": false, "state": state}]}});
        for (pod, expected) in [
            (
                container(json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such\nimage"}})),
                "container c: ImagePullBackOff: no such image",
            ),
            (
                container(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
                "container c ended with 137: OOMKilled",
            ),
            (container(json!({"running": {}})), "container c runs and is not ready"),
            (
                json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]}}),
                "Unschedulable: no node",
            ),
        ] {
            assert_eq!(of_pod(&pod).as_deref(), Some(expected));
        }
        for pod in [json!({}), container(json!({"waiting": {"reason": "ContainerCreating"}}))] {
            assert_eq!(of_pod(&pod), None, "{pod}");
        }
    }

    #[test]
    fn a_workload_says_why_it_has_no_pods_or_at_least_how_many_it_lacks() {
        let refused = json!({"status": {"conditions": [
            {"type": "Progressing", "status": "True"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"},
        ]}});
        assert_eq!(of_conditions(&refused).as_deref(), Some("FailedCreate: quota"));
        let slow = json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 3, "updatedReplicas": 1}});
        assert_eq!(missing(&slow).as_deref(), Some("3 of 3 pods are ready, 1 of them are new"));
        assert_eq!(
            missing(&json!({"spec": {"replicas": 1}, "status": {"readyReplicas": 1, "updatedReplicas": 1}})),
            None
        );
    }

    #[test]
    fn what_runs_pods_is_found_in_a_manifest_with_its_namespace() {
        let manifest = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: apps/v1\n\
                        kind: DaemonSet\nmetadata: {name: b, namespace: n}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
        let found: Vec<_> = workloads(manifest, "own").into_iter().map(|it| (it.namespace, it.name)).collect();
        assert_eq!(found, [("own".to_owned(), "a".to_owned()), ("n".to_owned(), "b".to_owned())]);
    }
}
