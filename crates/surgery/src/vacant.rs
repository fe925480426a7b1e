//! What counts as not being there, and the form in which objects are compared.

use epiphyte_api::{WorkloadKind, names};
use serde_json::{Map, Value};

/// Whether a value holds nothing: it is missing, `null`, an empty list, or a map of nothing but such values. The API server
/// writes `metadata: {creationTimestamp: null}` and `resources: {}` where a manifest has nothing at all.
pub(crate) fn is_vacant(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.values().all(|member| is_vacant(Some(member))),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => false,
    }
}

/// Drops what is vacant at the places that surgery edits: labels, volumes, init containers, and of each container resources,
/// variables and mounts. Two objects that are equal in this form differ in nothing that the API server would store.
///
/// Everywhere else a vacant value stays, since there it may be data: a `labelSelector: {}` selects everything, none nothing.
pub fn normal_form(kind: WorkloadKind, object: &mut Value) {
    if let Some(metadata) = member(object.as_object_mut(), "metadata") {
        sweep_labels(metadata);
    }
    let Some(template) = object.pointer_mut(kind.template_pointer()).and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(metadata) = member(Some(template), "metadata") {
        sweep_labels(metadata);
    }
    sweep(template, &["metadata"]);
    let Some(spec) = member(Some(template), "spec") else {
        return;
    };
    sweep(spec, &["volumes", "initContainers"]);
    for container in items(spec, "containers") {
        if let Some(resources) = member(Some(container), "resources") {
            sweep(resources, &["limits", "requests"]);
        }
        sweep(container, &["resources", "env", "volumeMounts"]);
        for variable in items(container, "env") {
            if variable.get("value").is_some_and(|value| value.is_null() || value == "") {
                variable.remove("value");
            }
        }
    }
}

fn sweep_labels(metadata: &mut Map<String, Value>) {
    if let Some(labels) = member(Some(metadata), "labels") {
        sweep(labels, &[names::AUTO_TRACE_LABEL]);
    }
    sweep(metadata, &["labels"]);
}

fn sweep(map: &mut Map<String, Value>, members: &[&str]) {
    for member in members {
        if is_vacant(map.get(*member)) {
            map.remove(*member);
        }
    }
}

fn member<'a>(map: Option<&'a mut Map<String, Value>>, name: &str) -> Option<&'a mut Map<String, Value>> {
    map?.get_mut(name)?.as_object_mut()
}

fn items<'a>(map: &'a mut Map<String, Value>, list: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}
