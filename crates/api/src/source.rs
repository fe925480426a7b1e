//! `Source`: a mark on a workload or a namespace that is an object of its own.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Says that a workload, or every workload of a namespace, is to be instrumented or is not.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Source",
    namespaced,
    category = "epiphyte",
    doc = "A mark that turns instrumentation of a workload or of a whole namespace on or off.",
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload.name"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.workload.kind"),
    printcolumn(name = "Disabled", type_ = "boolean", json_path = ".spec.disableInstrumentation"),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.otelServiceName", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SourceSpec {
    /// What is marked. Cannot be changed: make another Source instead.
    #[x_kube(validation = Rule::new("self == oldSelf").message("workload is immutable; delete this Source and create another"))]
    pub workload: SourceWorkload,
    /// Turns instrumentation off instead of on.
    #[serde(default)]
    pub disable_instrumentation: bool,
    /// The `service.name` that telemetry of the workload carries; the workload's name if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otel_service_name: Option<String>,
}

/// What a `Source` marks.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SourceWorkload {
    /// A kind of workload, or `Namespace`. A kind that Epiphyte does not know marks nothing, and an Event says so.
    pub kind: String,
    /// Name of the workload; of the namespace where `kind` is `Namespace`.
    pub name: String,
    /// Namespace of the workload, which must be the Source's own.
    pub namespace: String,
}
