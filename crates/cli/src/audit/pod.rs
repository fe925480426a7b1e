//! Pods that still run with something of ours.

use epiphyte_api::WorkloadKind;
use epiphyte_operator::index::WorkloadKey;
use epiphyte_plan::Replacement;
use serde_json::Value;

use super::finding::{About, Finding};
use super::ours::{parts, read_template};
use super::workload::replaces_pods;

/// A pod that runs, or is about to, with something of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Where it runs; empty where it waits for a node.
    pub(crate) node: String,
    /// The workload that it belongs to, if it is of one of the six kinds.
    pub(crate) owner: Option<WorkloadKey>,
    /// Whether it is on its way out.
    leaves: bool,
    /// What is ours.
    what: String,
}

impl Running {
    /// Looks at a pod; nothing where it has ended or has nothing of ours.
    pub(crate) fn of(pod: &Value) -> Option<Self> {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if matches!(text("/status/phase"), "Succeeded" | "Failed") {
            return None;
        }
        // A pod has of a template all that matters.
        let what = parts(&read_template(pod)?).join("; ");
        (!what.is_empty()).then(|| Self {
            namespace: text("/metadata/namespace").to_owned(),
            name: text("/metadata/name").to_owned(),
            node: text("/spec/nodeName").to_owned(),
            owner: owner(pod),
            leaves: pod.pointer("/metadata/deletionTimestamp").is_some(),
            what,
        })
    }

    /// Whether it goes without anybody's help. `replacement` tells what replaces the pods of its workload, if that is there.
    pub(crate) fn goes(&self, replacement: Option<Replacement>) -> bool {
        self.leaves || replacement.is_some_and(replaces_pods)
    }

    /// What an audit says of it.
    pub(super) fn finding(&self, replacement: Option<Replacement>) -> Finding {
        let about = About { kind: "Pod", namespace: &self.namespace, name: &self.name };
        let next = if self.leaves {
            "it is on its way out".to_owned()
        } else {
            match (&self.owner, replacement) {
                (Some(owner), Some(Replacement::Rollout)) => format!("{owner} has yet to replace it"),
                (Some(owner), _) if owner.kind == WorkloadKind::Job => {
                    "wait until it ends, or delete its Job".to_owned()
                }
                (Some(owner), _) => {
                    format!("nothing replaces it by itself; {owner} makes it anew once you delete it")
                }
                (None, _) => {
                    "nothing replaces it by itself; delete it, and create it again without Epiphyte".to_owned()
                }
            }
        };
        about.leftover(format!("it runs with {}", self.what), next)
    }
}

/// The workload that a pod belongs to, by its controller: a ReplicaSet named by the hash of its template is a Deployment's.
fn owner(pod: &Value) -> Option<WorkloadKey> {
    let owners = pod.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let (kind, name) = (owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?);
    let kind: WorkloadKind = kind.parse().ok()?;
    let namespace = pod.pointer("/metadata/namespace")?.as_str()?;
    let hash = pod.pointer("/metadata/labels/pod-template-hash").and_then(Value::as_str);
    let deployment = hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
    let (kind, name) = match (kind, deployment) {
        (WorkloadKind::ReplicaSet, Some(deployment)) => (WorkloadKind::Deployment, deployment),
        (kind, _) => (kind, name),
    };
    Some(WorkloadKey { namespace: namespace.into(), kind, name: name.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(metadata: Value) -> Value {
        let mut pod = json!({
            "metadata": { "name": "cart-1", "namespace": "shop" }, "status": { "phase": "Running" },
            "spec": { "nodeName": "a", "containers": [
                { "name": "app", "resources": { "limits": { "instrumentation.odigos.io/java-native-community": "1" } } },
            ] },
        });
        json_patch::merge(&mut pod, &json!({ "metadata": metadata }));
        pod
    }

    fn of_deployment() -> Value {
        pod(json!({
            "labels": { "pod-template-hash": "5d9" },
            "ownerReferences": [{ "kind": "ReplicaSet", "name": "cart-5d9", "controller": true }],
        }))
    }

    #[test]
    fn a_pod_of_a_deployment_is_known_by_its_hash_and_goes_by_the_rollout() {
        let running = Running::of(&of_deployment()).expect("it runs with us");
        assert_eq!(running.owner.as_ref().map(ToString::to_string).as_deref(), Some("Deployment shop/cart"));
        assert!(running.goes(Some(Replacement::Rollout)));
        assert!(!running.goes(Some(Replacement::Manual)));
        assert!(!running.goes(None));
    }

    #[test]
    fn a_pod_that_nobody_replaces_goes_only_when_it_is_deleted() {
        let bare = Running::of(&pod(json!({}))).expect("it runs with us");
        assert!(bare.owner.is_none() && !bare.goes(None));
        let leaving = Running::of(&pod(json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }))).expect("it runs");
        assert!(leaving.goes(None));
    }

    #[test]
    fn a_pod_that_has_ended_or_has_nothing_of_ours_does_not_count() {
        let mut ended = of_deployment();
        ended["status"]["phase"] = json!("Succeeded");
        assert_eq!(Running::of(&ended), None);
        assert_eq!(Running::of(&json!({ "spec": { "containers": [{ "name": "app" }] } })), None);
    }
}
