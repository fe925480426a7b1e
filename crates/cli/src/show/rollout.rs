//! How far the rollout of a workload is, by what its controller says.

use epiphyte_api::WorkloadKind;
use serde::Serialize;
use serde_json::Value;

/// Pods of a workload, of those that there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rollout {
    /// How many there are to be.
    pub(crate) wanted: i64,
    /// How many are of the newest template.
    pub(crate) updated: i64,
    /// How many are ready, of whatever template.
    pub(crate) ready: i64,
    /// Whether there is more to come.
    pub(crate) under_way: bool,
}

impl Rollout {
    /// Of a workload whose controller replaces pods; nothing of another.
    pub(crate) fn of(kind: WorkloadKind, object: &Value) -> Option<Self> {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        let (wanted, updated, ready) = match kind {
            WorkloadKind::Deployment | WorkloadKind::StatefulSet => (
                number("/spec/replicas").unwrap_or(1),
                number("/status/updatedReplicas"),
                number("/status/readyReplicas"),
            ),
            WorkloadKind::DaemonSet => (
                number("/status/desiredNumberScheduled").unwrap_or_default(),
                number("/status/updatedNumberScheduled"),
                number("/status/numberReady"),
            ),
            WorkloadKind::ReplicaSet | WorkloadKind::Job | WorkloadKind::CronJob => return None,
        };
        let (updated, ready) = (updated.unwrap_or_default(), ready.unwrap_or_default());
        let seen = number("/status/observedGeneration") >= number("/metadata/generation");
        // A Deployment's old pods are yet to go where there are more than wanted.
        let surplus = number("/status/replicas").unwrap_or_default() > wanted;
        let under_way = !seen || updated < wanted || ready < wanted || surplus;
        Some(Self { wanted, updated, ready, under_way })
    }
}

/// Why the controller of a workload says that its rollout does not get on.
pub(crate) fn stuck(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let text = |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_stuck = |it: &&Value| match text(it, "type").as_str() {
        "Progressing" => text(it, "status") == "False",
        "ReplicaFailure" => text(it, "status") == "True",
        _ => false,
    };
    conditions.iter().find(is_stuck).map(|it| format!("{}: {}", text(it, "reason"), text(it, "message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(updated: i64, ready: i64, all: i64) -> Rollout {
        let object = json!({
            "metadata": { "generation": 2 }, "spec": { "replicas": 3 },
            "status": { "observedGeneration": 2, "updatedReplicas": updated, "readyReplicas": ready, "replicas": all },
        });
        Rollout::of(WorkloadKind::Deployment, &object).expect("it rolls out")
    }

    #[test]
    fn a_rollout_is_over_once_every_pod_is_new_and_ready_and_no_old_one_is_left() {
        assert!(deployment(1, 3, 4).under_way);
        assert!(deployment(3, 2, 3).under_way);
        assert!(deployment(3, 3, 4).under_way);
        assert!(!deployment(3, 3, 3).under_way);
    }

    #[test]
    fn a_change_that_the_controller_has_not_seen_is_under_way() {
        let object = json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 0 }, "status": { "observedGeneration": 1 } });
        assert!(Rollout::of(WorkloadKind::Deployment, &object).expect("it rolls out").under_way);
        assert_eq!(Rollout::of(WorkloadKind::Job, &object), None);
    }

    #[test]
    fn what_the_controller_complains_of_is_told() {
        let condition = |status: &str| {
            json!({ "status": { "conditions": [
                { "type": "Progressing", "status": status, "reason": "ProgressDeadlineExceeded", "message": "timed out" },
            ] } })
        };
        assert_eq!(stuck(&condition("False")).as_deref(), Some("ProgressDeadlineExceeded: timed out"));
        assert_eq!(stuck(&condition("True")), None);
    }
}
