//! Whether instrumented workloads get on: what their controllers say, and pods of theirs that do not start.

use std::collections::BTreeMap;

use epiphyte_api::names::DEVICE_PREFIX;
use epiphyte_api::{Diagnosis, WorkloadKind};
use epiphyte_operator::index::WorkloadKey;
use epiphyte_plan::{Container, Manifest};
use serde::Deserialize as _;
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{PODS, Running, text};
use crate::explain::resource;
use crate::show::stuck;

/// Why a container of a pod that does not start waits.
const FAILURES: [&str; 7] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let (mut looked_at, mut found) = (0_usize, BTreeMap::new());
    for kind in [WorkloadKind::Deployment, WorkloadKind::DaemonSet, WorkloadKind::StatefulSet] {
        let each = |object: Value| {
            let Ok(workload) = Manifest::deserialize(&object).map(|it| it.into_workload(kind)) else { return };
            if workload.pod.containers.iter().any(Container::is_ours) {
                looked_at += 1;
                found.extend(stuck(&object).map(|why| (WorkloadKey::of(&workload), why)));
            }
        };
        patient.cluster.list(&resource(kind), None, None, each).await?;
    }
    let each = |pod: Value| {
        if let Some((owner, why)) = Running::of(&pod).and_then(|it| it.owner).zip(fails(&pod)) {
            found.entry(owner).or_insert_with(|| format!("pod {}: {why}", text(&pod, "/metadata/name")));
        }
    };
    patient.cluster.list(&PODS, None, None, each).await?;
    let mut findings: Vec<Finding> = found.into_iter().map(|(key, why)| finding(&key, &why)).collect();
    if findings.is_empty() {
        let found = format!("{looked_at} instrumented workloads");
        findings.push(Finding::of(Diagnosis::RolloutsDone, found));
    }
    Ok(findings)
}

/// Commands about a workload name its kind too.
fn finding(key: &WorkloadKey, why: &str) -> Finding {
    let target = format!("{}/{}", key.kind.as_str().to_lowercase(), key.name);
    let finding = Finding::of(Diagnosis::RolloutStuck, why).about(key.kind.as_str(), &key.namespace, &target);
    Finding { name: key.name.to_string(), ..finding }
}

/// Why a pod does not start.
fn fails(pod: &Value) -> Option<String> {
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let unscheduled = list("/status/conditions").find(|it| {
        text(it, "/type") == "PodScheduled"
            && text(it, "/status") == "False"
            && text(it, "/message").contains(DEVICE_PREFIX)
    });
    if let Some(condition) = unscheduled {
        return Some(text(condition, "/message").to_owned());
    }
    list("/status/initContainerStatuses").chain(list("/status/containerStatuses")).find_map(|it| {
        let reason = text(it, "/state/waiting/reason");
        FAILURES
            .contains(&reason)
            .then(|| format!("container {} waits: {reason}: {}", text(it, "/name"), text(it, "/state/waiting/message")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_waits_for_its_image_fails_and_one_that_starts_does_not() {
        let pod = |reason: &str| {
            fails(
                &json!({ "status": { "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": reason } } }] } }),
            )
        };
        assert_eq!(pod("ImagePullBackOff").as_deref(), Some("container app waits: ImagePullBackOff: "));
        assert_eq!(pod("ContainerCreating"), None);
    }

    #[test]
    fn a_pod_that_no_node_takes_counts_where_it_is_for_want_of_our_device() {
        let pod = |message: &str| {
            let condition = json!({ "type": "PodScheduled", "status": "False", "message": message });
            fails(&json!({ "status": { "conditions": [condition] } }))
        };
        assert!(pod("0/3 nodes: 3 Insufficient instrumentation.odigos.io/java-native-community.").is_some());
        assert_eq!(pod("0/3 nodes: 3 Insufficient cpu."), None);
    }
}
