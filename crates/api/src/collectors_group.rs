//! `CollectorsGroup`: whether the collectors can take telemetry.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// A group of collectors whose readiness gates instrumentation.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "odigos.io",
    version = "v1alpha1",
    kind = "CollectorsGroup",
    namespaced,
    status = "CollectorsGroupStatus",
    category = "epiphyte",
    doc = "A group of collectors. Workloads are instrumented only while every group of the system namespace is ready.",
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Ready", type_ = "boolean", json_path = ".status.ready"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct CollectorsGroupSpec {
    /// What the group is there for.
    pub role: CollectorsGroupRole,
}

/// The part that a group of collectors plays.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CollectorsGroupRole {
    /// One gateway for the cluster.
    ClusterGateway,
    /// A collector on each node.
    NodeCollector,
}

/// Conditions of a [`CollectorsGroup`].
pub mod condition {
    /// Whether the collectors take telemetry; the same as `status.ready`, with the reason and since when.
    pub const READY: &str = "Ready";
}

/// What is known of a group of collectors.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct CollectorsGroupStatus {
    /// Whether the collectors take telemetry now.
    #[serde(default)]
    pub ready: bool,
    /// `Ready`, whose transition time starts the grace period of a loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
