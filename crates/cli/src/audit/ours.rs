//! What of a pod template is ours, in words. Planning's own view decides; there is no second one.

use epiphyte_api::names::{AUTO_TRACE_LABEL, INJECTOR_MOUNT_PATH, INJECTOR_NAME, INJECTOR_VARIABLES, LD_PRELOAD};
use epiphyte_plan::{AutoTraceLabel, Container, Manifest, Part, Pod, Variables};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// A pod template within any object, as planning sees it; nothing if it cannot be read.
pub(super) fn read_template(template: &Value) -> Option<Pod> {
    let object = json!({ "spec": { "template": template } });
    let manifest = Manifest::deserialize(object).ok()?;
    Some(manifest.into_workload(epiphyte_api::WorkloadKind::Deployment).pod)
}

/// What of a pod template is ours.
pub(super) fn parts(pod: &Pod) -> Vec<String> {
    let mut parts: Vec<String> = pod.containers.iter().filter_map(of_container).collect();
    if pod.init_container == Part::Ours {
        parts.push(format!("the init container {INJECTOR_NAME}"));
    }
    if pod.volume == Part::Ours {
        parts.push(format!("the volume {INJECTOR_NAME}"));
    }
    parts
}

fn of_container(container: &Container) -> Option<String> {
    let mut has: Vec<String> = container.devices.iter().map(|device| format!("the device {device}")).collect();
    if container.injected {
        has.push(format!("a mount at {INJECTOR_MOUNT_PATH}"));
    }
    if container.preload.ends_with_injector || container.preload.ends_with_device {
        has.push(format!("our library in {LD_PRELOAD}"));
    }
    let is_there = |name: &&&str| {
        let variable = Variables::named(name);
        let (of_ours, missing) = (container.own_variables(), variable.without(container.variables));
        missing.is_empty() && variable.without(of_ours).is_empty()
    };
    has.extend(INJECTOR_VARIABLES.iter().filter(is_there).map(|name| (*name).to_owned()));
    (!has.is_empty()).then(|| format!("container {}: {}", container.name, has.join(", ")))
}

/// The label in which the injector's version is, if a labelled object has it from us.
pub(super) fn version_label(labelled: &Value) -> Option<String> {
    let value = labelled.get("metadata")?.get("labels")?.get(AUTO_TRACE_LABEL)?.as_str()?;
    (AutoTraceLabel::from(value) == AutoTraceLabel::Version).then(|| format!("{AUTO_TRACE_LABEL}: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_named_and_nothing_else() {
        let template = json!({ "spec": {
            "containers": [
                { "name": "app", "resources": { "limits": { "cpu": "1", "instrumentation.odigos.io/java-native-community": "1" } } },
                {
                    "name": "side", "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/opt/lumigo" }],
                    "env": [
                        { "name": "LD_PRELOAD", "value": "/opt/lumigo/injector/lumigo_injector.so" },
                        { "name": "LUMIGO_ENDPOINT", "value": "http://proxy" },
                    ],
                },
                // A person's own variable under one of our names.
                { "name": "own", "env": [{ "name": "LUMIGO_ENDPOINT", "value": "http://mine" }] },
            ],
            "volumes": [{ "name": "lumigo-injector", "emptyDir": {} }],
        } });
        let found = parts(&read_template(&template).expect("a template"));
        assert_eq!(
            found,
            [
                "container app: the device instrumentation.odigos.io/java-native-community",
                "container side: a mount at /opt/lumigo, our library in LD_PRELOAD, LUMIGO_ENDPOINT",
                "the volume lumigo-injector",
            ]
        );
    }

    #[test]
    fn a_label_is_ours_if_it_tells_a_version() {
        let labelled = |value: &str| json!({ "metadata": { "labels": { "lumigo.auto-trace": value } } });
        assert!(version_label(&labelled("lumigo-operator.v0.1.0")).is_some());
        assert_eq!(version_label(&labelled("true")), None);
        assert_eq!(version_label(&json!({})), None);
    }
}
