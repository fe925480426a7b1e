//! `Lumigo`: tracing of a namespace with a tenant's token.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Traces every workload of its namespace, by injection, with the token of a tenant.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "operator.lumigo.io",
    version = "v1",
    kind = "Lumigo",
    plural = "lumigoes",
    namespaced,
    status = "LumigoStatus",
    category = "epiphyte",
    doc = "Traces the workloads of a namespace and sends their telemetry with the token of a tenant.",
    printcolumn(name = "Active", type_ = "string", json_path = ".status.conditions[?(@.type==\"Active\")].status"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.conditions[?(@.type==\"Error\")].message"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".spec.lumigoToken.secretRef.name", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct LumigoSpec {
    /// The token that telemetry of the namespace is sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lumigo_token: Option<LumigoToken>,
    /// Traces and the injection that makes them.
    #[serde(default)]
    pub tracing: Tracing,
    /// Logs of the applications.
    #[serde(default)]
    pub logging: Logging,
    /// What the cluster itself has to say about the namespace.
    #[serde(default)]
    pub infrastructure: Infrastructure,
}

/// Where the token is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LumigoToken {
    /// The Secret, in the namespace of the Lumigo, and the key in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A key of a Secret.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("self.name.trim() != ''").message("the name of the Secret must not be blank"),
    validation = Rule::new("self.key.trim() != ''").message("the key in the Secret must not be blank")
)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub key: String,
}

/// Traces and the injection that makes them.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default)]
pub struct Tracing {
    /// Whether traces are sent.
    pub enabled: bool,
    /// How workloads come to be traced.
    pub injection: Injection,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { enabled: true, injection: Injection::default() }
    }
}

/// How workloads come to be traced.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Injection {
    /// Whether workloads are injected at all.
    pub enabled: bool,
    /// Whether workloads that were there before the Lumigo are injected too.
    pub inject_lumigo_into_existing_resources_on_creation: bool,
    /// Whether the deletion of the Lumigo takes the injection off.
    pub remove_lumigo_from_resources_on_deletion: bool,
}

impl Default for Injection {
    fn default() -> Self {
        Self {
            enabled: true,
            inject_lumigo_into_existing_resources_on_creation: true,
            remove_lumigo_from_resources_on_deletion: true,
        }
    }
}

/// Logs of the applications.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Logging {
    /// Whether logs are sent.
    pub enabled: bool,
}

/// What the cluster itself has to say about the namespace.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Infrastructure {
    /// Whether anything of it is sent.
    pub enabled: bool,
    /// Kubernetes Events of the namespace.
    pub kube_events: KubeEvents,
}

impl Default for Infrastructure {
    fn default() -> Self {
        Self { enabled: true, kube_events: KubeEvents::default() }
    }
}

/// Kubernetes Events of the namespace.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default)]
pub struct KubeEvents {
    /// Whether they are sent.
    pub enabled: bool,
}

impl Default for KubeEvents {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What became of the Lumigo.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LumigoStatus {
    /// `Active` and `Error`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The workloads that are injected, sorted by kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub instrumented_resources: Vec<InstrumentedResource>,
}

/// A workload that is injected; reads as an object reference.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentedResource {
    /// API group and version of the workload.
    pub api_version: String,
    /// Kind of the workload.
    pub kind: String,
    /// Name of the workload.
    pub name: String,
    /// Namespace of the workload.
    pub namespace: String,
    /// UID of the workload.
    pub uid: String,
}

/// Types of the conditions on a `Lumigo`.
pub mod condition {
    /// Whether the Lumigo counts in its namespace and its token is good.
    pub const ACTIVE: &str = "Active";
    /// Whether somebody has to act, and about what.
    pub const ERROR: &str = "Error";
}
