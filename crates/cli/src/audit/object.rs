//! What is said of objects that are no workloads: our resources, what an installation consists of, nodes.

use epiphyte_api::Device;
use epiphyte_api::names::{LUMIGO_FINALIZER, PHASE_ANNOTATION, UNINSTALLED};
use serde_json::Value;

use super::finding::{About, Finding};
use super::installed::{is_controlled, is_helms, is_labelled, text};
use crate::cluster::Resource;

/// Whether the definitions are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Definitions {
    /// They are to go, and all resources with them.
    Go,
    /// They are to stay, for a later installation.
    Stay,
}

const AGAIN: &str = "run `epiphyte operator --uninstall`";

fn about<'a>(resource: &'a Resource, object: &'a Value) -> About<'a> {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    About { kind: resource.kind, namespace, name }
}

pub(super) fn lumigo(resource: &Resource, object: &Value) -> Finding {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let held = finalizers.into_iter().flatten().any(|it| it.as_str() == Some(LUMIGO_FINALIZER));
    let deleted = object.pointer("/metadata/deletionTimestamp").is_some();
    let what = match (deleted, held) {
        (true, true) => "it is deleted and held by our finalizer".to_owned(),
        (true, false) => "it is deleted and held by finalizers of others".to_owned(),
        (false, true) => "it is there, with our finalizer".to_owned(),
        (false, false) => "it is there".to_owned(),
    };
    about(resource, object).leftover(what, AGAIN)
}

pub(super) fn details(resource: &Resource, object: &Value) -> Finding {
    about(resource, object).leftover("it is there", AGAIN)
}

pub(super) fn source(resource: &Resource, object: &Value) -> Finding {
    about(resource, object).information("a mark", "a person wrote it, so it stays; without Epiphyte it does nothing")
}

pub(super) fn group(resource: &Resource, object: &Value) -> Finding {
    if is_labelled(object) {
        about(resource, object).leftover("it is there", AGAIN)
    } else {
        about(resource, object).information("it is there", "it is not Epiphyte's own")
    }
}

/// An object that an installation consists of; nothing where a controller has it in hand.
pub(super) fn installed(resource: &Resource, object: &Value) -> Option<Finding> {
    let about = about(resource, object);
    if is_controlled(object) {
        None
    } else if is_helms(object) {
        Some(about.information("it is a part of the installation", "Helm keeps it; `helm uninstall` removes it"))
    } else if object.pointer("/metadata/deletionTimestamp").is_some() {
        Some(about.leftover("it is being deleted", "look at its finalizers, and at what is still in it"))
    } else {
        Some(about.leftover("it is a part of the installation", AGAIN))
    }
}

/// Whether Helm was told to leave an object when its release goes.
fn is_kept(object: &Value) -> bool {
    let policy = object.get("metadata").and_then(|it| it.get("annotations")?.get("helm.sh/resource-policy")?.as_str());
    policy == Some("keep")
}

/// A definition of a resource of ours.
pub(super) fn definition(resource: &Resource, object: &Value, wanted: Definitions) -> Finding {
    let about = about(resource, object);
    if wanted == Definitions::Stay || is_kept(object) {
        about.information("it defines a resource of ours", "it was asked to stay, with all resources of the kind")
    } else if is_helms(object) {
        about.information("it defines a resource of ours", "Helm keeps it; `helm uninstall` removes it")
    } else if is_labelled(object) {
        let next = format!("{AGAIN}; all resources of the kind go with it");
        about.leftover("it defines a resource of ours", next)
    } else {
        about.information("it defines a resource that we share", "it was not installed with Epiphyte")
    }
}

/// The mark that says that Epiphyte is being uninstalled, and what node agents told there.
pub(super) fn mark(resource: &Resource, object: &Value, kept_by_helm: bool) -> Finding {
    if kept_by_helm {
        let next = "it goes with the operator's Deployment, which Helm removes";
        return about(resource, object).information("it says that everything is off", next);
    }
    let next = format!("{AGAIN} to go on, or with --cancel to call it off");
    about(resource, object).leftover("it says that Epiphyte is being uninstalled", next)
}

/// Whether the mark says that everything is off.
pub(crate) fn is_over(mark: &Value) -> bool {
    let phase = mark.get("metadata").and_then(|it| it.get("annotations")?.get(PHASE_ANNOTATION)?.as_str());
    phase == Some(UNINSTALLED)
}

/// Something of the operator's own in the system namespace.
pub(super) fn own(resource: &Resource, object: &Value) -> Finding {
    about(resource, object).leftover("the operator made it", AGAIN)
}

/// What a node still says of our devices.
pub(super) fn node(resource: &Resource, object: &Value) -> Option<Finding> {
    let devices = |pointer: &str| -> Vec<String> {
        let resources = object.pointer(pointer).and_then(Value::as_object);
        let ours = resources.into_iter().flatten().filter(|(name, _)| Device::from_resource(name).is_some());
        ours.filter(|(_, count)| count.as_str() != Some("0")).map(|(name, count)| shown(name, count)).collect()
    };
    let (offered, remembered) = (devices("/status/allocatable"), devices("/status/capacity"));
    let zero = object.pointer("/status/capacity").and_then(Value::as_object);
    let zero = zero.is_some_and(|resources| resources.keys().any(|name| Device::from_resource(name).is_some()));
    let about = about(resource, object);
    if !offered.is_empty() {
        let next = "its node agent is still registered; it leaves once no container has a device";
        Some(about.leftover(format!("it offers {}", offered.join(", ")), next))
    } else if !remembered.is_empty() {
        let next = "the kubelet forgets devices that nobody serves within five minutes";
        Some(about.information(format!("it has a capacity of {}", remembered.join(", ")), next))
    } else if zero {
        let next = "the kubelet keeps the name of a device that it once had";
        Some(about.information("it has a capacity of none of our devices", next))
    } else {
        None
    }
}

fn shown(name: &str, count: &Value) -> String {
    format!("{} {name}", count.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Severity;
    use super::super::installed::{DEFINITIONS, DEPLOYMENTS, LUMIGOES, NODES};
    use super::*;

    const JAVA: &str = "instrumentation.odigos.io/java-native-community";

    fn of_node(capacity: &str, allocatable: &str) -> Option<Severity> {
        let status = json!({ "capacity": { "cpu": "4", JAVA: capacity }, "allocatable": { JAVA: allocatable } });
        node(&NODES, &json!({ "metadata": { "name": "a" }, "status": status })).map(|it| it.severity)
    }

    #[test]
    fn devices_on_offer_are_left_over_and_what_the_kubelet_remembers_is_information() {
        assert_eq!(of_node("256", "256"), Some(Severity::Leftover));
        assert_eq!(of_node("256", "0"), Some(Severity::Information));
        assert_eq!(of_node("0", "0"), Some(Severity::Information));
        assert_eq!(node(&NODES, &json!({ "status": { "capacity": { "cpu": "4" } } })), None);
    }

    #[test]
    fn what_helm_keeps_is_left_to_helm_and_what_a_controller_makes_to_it() {
        let object =
            |labels: Value, owners: Value| json!({ "metadata": { "labels": labels, "ownerReferences": owners } });
        let severity = |object: &Value| installed(&DEPLOYMENTS, object).map(|it| it.severity);
        assert_eq!(severity(&object(json!({}), json!([]))), Some(Severity::Leftover));
        let helm = json!({ "app.kubernetes.io/managed-by": "Helm" });
        assert_eq!(severity(&object(helm, json!([]))), Some(Severity::Information));
        assert_eq!(severity(&object(json!({}), json!([{ "controller": true }]))), None);
    }

    #[test]
    fn definitions_stay_where_that_was_asked_for_or_where_others_brought_them() {
        let ours = json!({ "metadata": { "labels": { "app.kubernetes.io/part-of": "epiphyte" } } });
        let severity = |object: &Value, wanted| definition(&DEFINITIONS, object, wanted).severity;
        assert_eq!(severity(&ours, Definitions::Go), Severity::Leftover);
        assert_eq!(severity(&ours, Definitions::Stay), Severity::Information);
        assert_eq!(severity(&json!({}), Definitions::Go), Severity::Information);
    }

    #[test]
    fn a_lumigo_that_is_held_by_our_finalizer_says_so() {
        let held = json!({ "metadata": {
            "name": "lumigo", "namespace": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["operator.lumigo.io/lumigo-finalizer"],
        } });
        assert_eq!(lumigo(&LUMIGOES, &held).what, "it is deleted and held by our finalizer");
    }
}
