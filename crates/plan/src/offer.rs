//! Which devices a workload's pods can count on. A device that no node offers would leave the pods pending.

use epiphyte_api::WorkloadKind;

use crate::placement::{UNSCHEDULABLE, selects, tolerated};
use crate::{DeviceSet, Node, Scheduling, TaintEffect, Workload};

/// Taints that stand for a passing condition of the node. Pods of a DaemonSet stay there, or come back with the node.
const TOLERATED_BY_DAEMONS: [&str; 7] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
    UNSCHEDULABLE,
];

/// The devices on offer: for a DaemonSet those that every node has which it runs on, ready or not; for other kinds those
/// that a ready node has which the pods can be scheduled to.
pub(crate) fn offered(workload: &Workload, nodes: &[Node]) -> DeviceSet {
    let anywhere = Scheduling::default();
    let scheduling = workload.pod.scheduling.as_deref().unwrap_or(&anywhere);
    let is_daemon = workload.kind == WorkloadKind::DaemonSet;
    nodes
        .iter()
        .filter(|node| (is_daemon || node.ready) && selects(scheduling, node) && !repels(node, scheduling, is_daemon))
        .map(|node| node.devices)
        .reduce(if is_daemon { DeviceSet::intersection } else { DeviceSet::union })
        .unwrap_or_default()
}

/// Whether taints keep the pods away from a node.
fn repels(node: &Node, scheduling: &Scheduling, is_daemon: bool) -> bool {
    // A `nodeName` passes the scheduler by, and with it the taints that only the scheduler heeds; the controller of
    // DaemonSets heeds them itself.
    let scheduled = is_daemon || scheduling.node_name.is_none();
    let tolerates = |key: &str, value: &str, effect| {
        (!scheduled && effect == TaintEffect::NoSchedule)
            || (is_daemon && TOLERATED_BY_DAEMONS.contains(&key))
            || tolerated(&scheduling.tolerations, key, value, effect)
    };
    (node.unschedulable && !tolerates(UNSCHEDULABLE, "", TaintEffect::NoSchedule))
        || node.taints.iter().any(|taint| !tolerates(&taint.key, &taint.value, taint.effect))
}
