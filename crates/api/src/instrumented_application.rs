//! `InstrumentedApplication`: what runs in a workload's containers, and what became of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{Language, WorkloadKind};

/// Runtime details of one workload. The operator asks (`request`), a node agent answers (`languages`).
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "odigos.io",
    version = "v1alpha1",
    kind = "InstrumentedApplication",
    namespaced,
    status = "InstrumentedApplicationStatus",
    shortname = "ia",
    category = "epiphyte",
    derive = "Default",
    doc = "What runs in the containers of a workload, and why each is or is not instrumented.",
    printcolumn(name = "Languages", type_ = "string", json_path = ".spec.languages[*].language"),
    printcolumn(
        name = "Instrumented",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Instrumented\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Instrumented\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct InstrumentedApplicationSpec {
    /// What the operator asks node agents about: the containers of the pod template and their images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["containerName".into()]))]
    pub request: Vec<ContainerRequest>,
    /// What a node agent saw in a living pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["containerName".into()]))]
    pub languages: Vec<ContainerRuntime>,
}

/// One container that the operator asks about.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRequest {
    /// Name of the container in the pod template.
    pub container_name: String,
    /// Image of the container in the pod template, as written there.
    pub image: String,
}

/// What a node agent saw in one container.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRuntime {
    /// Name of the container.
    pub container_name: String,
    /// Language of the program: `java`, `python`, `javascript`, `go`, `dotnet`, `php`, `ruby`, `rust`, `cplusplus` or
    /// `unknown`.
    pub language: Language,
    /// Version of the language's runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// The C library: `glibc` or `musl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libc: Option<String>,
    /// Path or name of the process that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_name: Option<String>,
    /// `LD_PRELOAD` of the process without our own library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preload: Option<String>,
    /// Another vendor's agent that was found in the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_agent: Option<String>,
    /// Image of the container as the pod's template names it. An entry without one is good for any image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Digest of the image that ran.
    #[serde(default, rename = "imageID", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// The pod that was looked at.
    #[serde(default, rename = "podUID", skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// When that pod started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_start_time: Option<Time>,
}

/// What became of the workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct InstrumentedApplicationStatus {
    /// Verdict and reason of each container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["containerName".into()]))]
    pub containers: Vec<ContainerStatus>,
    /// `MarkedForInstrumentation`, `RuntimeDetected`, `CollectorsReady`, `Instrumented`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Verdict and reason of one container.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Name of the container.
    pub container_name: String,
    /// `on`, `off` or `keep`.
    pub verdict: String,
    /// Reason code of the finding that settled the verdict.
    pub reason: String,
    /// The reason in words.
    pub message: String,
}

/// Types of the conditions on an `InstrumentedApplication`.
pub mod condition {
    /// Whether a mark turns the workload on.
    pub const MARKED: &str = "MarkedForInstrumentation";
    /// Whether runtime details are there.
    pub const DETECTED: &str = "RuntimeDetected";
    /// Whether the collectors are ready.
    pub const COLLECTORS_READY: &str = "CollectorsReady";
    /// Whether the pod template is instrumented.
    pub const INSTRUMENTED: &str = "Instrumented";
}

/// Longest name that Kubernetes gives an object.
const NAME_LIMIT: usize = 253;

/// Name of the `InstrumentedApplication` of a workload: `<kind in lower case>-<workload name>`. Past 253 characters its
/// end gives way to sixteen hex digits of a hash of the whole.
pub fn instrumented_application_name(kind: WorkloadKind, workload: &str) -> String {
    let name = format!("{}-{workload}", kind.as_str().to_ascii_lowercase());
    if name.len() <= NAME_LIMIT {
        return name;
    }
    let digest = format!("{:016x}", fnv1a(name.as_bytes()));
    let kept: String = name.chars().take(NAME_LIMIT - digest.len() - 1).collect();
    format!("{}-{digest}", kept.trim_end_matches(['-', '.']))
}

/// FNV-1a: stable over versions and builds, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::instrumented_application_name;
    use crate::WorkloadKind;

    #[test]
    fn a_short_name_is_the_kind_and_the_name() {
        assert_eq!(instrumented_application_name(WorkloadKind::DaemonSet, "agent"), "daemonset-agent");
    }

    #[test]
    fn a_workload_name_of_253_characters_still_gives_a_valid_and_distinct_name() {
        let (one, other) = ("a".repeat(253), format!("{}b", "a".repeat(252)));
        let name = instrumented_application_name(WorkloadKind::Deployment, &one);
        assert!(name.len() <= 253, "{name}");
        assert_ne!(name, instrumented_application_name(WorkloadKind::Deployment, &other));
    }
}
