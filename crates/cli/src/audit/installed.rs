//! What an installation consists of: kinds whose objects of ours carry a label, and how to tell ours from others'.

use epiphyte_api::names::{MANAGED_BY_LABEL, PART_OF, PART_OF_LABEL};
use epiphyte_operator::admission::WEBHOOK;
use serde_json::Value;

use crate::cluster::Resource;

/// How the API server serves a kind: group, version, kind, plural.
const fn served(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, version, kind, plural }
}

pub(crate) const WEBHOOKS: Resource =
    served("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
pub(crate) const DEFINITIONS: Resource =
    served("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
pub(crate) const NAMESPACES: Resource = served("", "v1", "Namespace", "namespaces");
pub(crate) const SECRETS: Resource = served("", "v1", "Secret", "secrets");
pub(crate) const LEASES: Resource = served("coordination.k8s.io", "v1", "Lease", "leases");
pub(crate) const CONFIG_MAPS: Resource = served("", "v1", "ConfigMap", "configmaps");
pub(crate) const PODS: Resource = served("", "v1", "Pod", "pods");
pub(crate) const NODES: Resource = served("", "v1", "Node", "nodes");
pub(crate) const REVISIONS: Resource = served("apps", "v1", "ControllerRevision", "controllerrevisions");
pub(crate) const DEPLOYMENTS: Resource = served("apps", "v1", "Deployment", "deployments");
pub(crate) const DAEMON_SETS: Resource = served("apps", "v1", "DaemonSet", "daemonsets");
pub(crate) const LUMIGOES: Resource = served("operator.lumigo.io", "v1", "Lumigo", "lumigoes");
pub(crate) const SOURCES: Resource = served("odigos.io", "v1alpha1", "Source", "sources");
pub(crate) const GROUPS: Resource = served("odigos.io", "v1alpha1", "CollectorsGroup", "collectorsgroups");
pub(crate) const DETAILS: Resource =
    served("odigos.io", "v1alpha1", "InstrumentedApplication", "instrumentedapplications");

/// What runs.
pub(crate) const RUNNING: [Resource; 5] = [
    DEPLOYMENTS,
    DAEMON_SETS,
    served("apps", "v1", "StatefulSet", "statefulsets"),
    served("batch", "v1", "CronJob", "cronjobs"),
    served("batch", "v1", "Job", "jobs"),
];

/// What it runs with.
pub(crate) const BESIDE: [Resource; 5] = [
    served("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    served("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    served("", "v1", "Service", "services"),
    CONFIG_MAPS,
    served("", "v1", "ServiceAccount", "serviceaccounts"),
];

/// What it may do. The rights of whoever removes them may be among these.
pub(crate) const RIGHTS: [Resource; 4] = [
    served("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    served("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    served("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings"),
    served("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
];

/// The selector of everything that an installation consists of.
pub(crate) fn selector() -> String {
    format!("{PART_OF_LABEL}={PART_OF}")
}

/// Whether an object says that it belongs to an installation.
pub(crate) fn is_labelled(object: &Value) -> bool {
    label(object, PART_OF_LABEL) == Some(PART_OF)
}

/// Whether Helm keeps an object, and removes it.
pub(crate) fn is_helms(object: &Value) -> bool {
    label(object, MANAGED_BY_LABEL) == Some("Helm")
}

/// Whether a controller makes an object, and removes it.
pub(crate) fn is_controlled(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// Whether a webhook configuration has our webhook, whatever its name is.
pub(crate) fn has_our_webhook(configuration: &Value) -> bool {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array);
    webhooks.into_iter().flatten().any(|webhook| webhook.get("name").and_then(Value::as_str) == Some(WEBHOOK))
}

/// Text at a pointer; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}
