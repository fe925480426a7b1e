//! Whether node agents are ready, and nodes offer their devices.

use epiphyte_api::names::NODE_AGENT;
use epiphyte_api::{Device, Diagnosis};
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{DAEMON_SETS, NODES, selector, text};

pub(super) async fn agents(patient: &Patient<'_>) -> Looked {
    let agents = node_agents(patient).await?;
    if agents.is_empty() {
        return Ok(vec![Finding::of(
            Diagnosis::NodeAgentMissing,
            "no DaemonSet of the name and label of a node agent",
        )]);
    }
    let of = |agent: &Value| {
        let number = |pointer: &str| agent.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let (wanted, ready) = (number("/status/desiredNumberScheduled"), number("/status/numberReady"));
        let diagnosis = if ready < wanted { Diagnosis::NodeAgentNotReady } else { Diagnosis::NodeAgentsReady };
        Finding::of(diagnosis, format!("{ready} of {wanted} are ready")).of_object(&DAEMON_SETS, agent)
    };
    Ok(agents.iter().map(of).collect())
}

/// The DaemonSets of node agents, wherever they are.
pub(super) async fn node_agents(patient: &Patient<'_>) -> Result<Vec<Value>, crate::cluster::Refusal> {
    let mut agents = Vec::new();
    let each = |it: Value| {
        if text(&it, "/metadata/name") == NODE_AGENT {
            agents.push(it);
        }
    };
    patient.cluster.list_labelled(&DAEMON_SETS, &selector(), each).await?;
    Ok(agents)
}

/// Whether nodes offer devices.
pub(super) async fn devices(patient: &Patient<'_>) -> Looked {
    let mut nodes = Vec::new();
    patient.cluster.list(&NODES, None, None, |node: Value| nodes.push(node)).await?;
    let serving: Vec<(&Value, Vec<&str>)> =
        nodes.iter().filter(|node| is_served(node)).map(|node| (node, lacks(node))).collect();
    let offering = serving.iter().filter(|(_, lacks)| lacks.len() < Device::ALL.len()).count();
    if offering == 0 {
        return Ok(vec![Finding::of(Diagnosis::NoDevices, format!("{} ready Linux nodes", serving.len()))]);
    }
    let lacking = serving.iter().filter(|(_, lacks)| !lacks.is_empty());
    let mut findings: Vec<Finding> = lacking
        .map(|(node, lacks)| {
            let found = format!("it does not offer {}", lacks.join(", "));
            Finding::of(Diagnosis::NodeWithoutDevices, found).of_object(&NODES, node)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::DevicesOffered, format!("{offering} of {} nodes", nodes.len())));
    }
    Ok(findings)
}

/// Whether a node is ready and of a kind that the node agent runs on.
fn is_served(node: &Value) -> bool {
    let label = |key: &str| node.pointer("/metadata/labels").and_then(|it| it.get(key)?.as_str());
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let ready = conditions.into_iter().any(|it| text(it, "/type") == "Ready" && text(it, "/status") == "True");
    ready && label("kubernetes.io/os").is_none_or(|os| os == "linux")
}

/// The devices that a node does not offer.
fn lacks(node: &Value) -> Vec<&'static str> {
    let allocatable = node.pointer("/status/allocatable");
    let offers = |device: &Device| {
        let count = allocatable.and_then(|it| it.get(device.resource())?.as_str());
        count.is_some_and(|count| count != "0")
    };
    Device::ALL.iter().filter(|device| !offers(device)).map(|device| device.resource()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_that_is_not_ready_or_runs_windows_is_not_asked_for_devices() {
        let node = |ready: &str, os: &str| {
            is_served(&json!({
                "metadata": { "labels": { "kubernetes.io/os": os } },
                "status": { "conditions": [{ "type": "Ready", "status": ready }] },
            }))
        };
        assert!(node("True", "linux") && !node("False", "linux") && !node("True", "windows"));
    }

    #[test]
    fn a_device_with_a_count_of_zero_is_not_on_offer() {
        let java = Device::Java.resource();
        let of = |count: &str| lacks(&json!({ "status": { "allocatable": { java: count } } }));
        assert!(!of("10").contains(&java) && of("0").contains(&java));
        assert_eq!(lacks(&json!({})).len(), Device::ALL.len());
    }
}
