//! What is written into a template besides what the verdict says.

use epiphyte_api::names;
use epiphyte_plan::TokenRef;
use serde_json::{Value, json};

use crate::resources;

/// User of the init container where the pod has no `fsGroup`.
const USER: i64 = 1234;

/// What is written into a template besides what the verdict says. It comes from the settings and the namespace's Lumigo,
/// never from runtime details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// Value of the label `lumigo.auto-trace`, made by [`names::auto_trace_version`].
    pub version_label: String,
    /// Image of the injector's init container.
    pub agents_image: String,
    /// URL that traces are sent to.
    pub traces_endpoint: String,
    /// URL that logs are sent to.
    pub logs_endpoint: String,
    /// Whether traces are sent.
    pub traces: bool,
    /// Whether logs are sent.
    pub logs: bool,
    /// The token for containers with the injector.
    pub injector_token: TokenRef,
    /// The token for containers with a device; `None` where the namespace has no active Lumigo.
    pub device_token: Option<TokenRef>,
}

impl Rendering {
    /// The variables of the injector delivery for a container, in the order of [`names::INJECTOR_VARIABLES`].
    pub(crate) fn injector_variables(&self, container: &str) -> Vec<Value> {
        vec![
            token(&self.injector_token),
            variable(names::ENDPOINT, &self.traces_endpoint),
            variable(names::LOGS_ENDPOINT, &self.logs_endpoint),
            variable(names::ENABLE_TRACES, if self.traces { "true" } else { "false" }),
            variable(names::ENABLE_LOGS, if self.logs { "true" } else { "false" }),
            variable(names::CONTAINER_NAME, container),
        ]
    }

    /// The variables of the device delivery.
    pub(crate) fn device_variables(&self) -> Vec<Value> {
        self.device_token.iter().map(token).collect()
    }

    /// The init container that fills the volume, for a pod of the given specification. When its image is pulled is left to
    /// what holds for every image: always for `latest`, else where it is not there.
    pub(crate) fn init_container(&self, pod: &Value) -> Value {
        let mut container = json!({
            "name": names::INJECTOR_NAME,
            "image": self.agents_image,
            "env": [variable("TARGET_DIRECTORY", names::INJECTOR_TARGET_PATH)],
            "securityContext": security_context(pod),
            "volumeMounts": [{ "name": names::INJECTOR_NAME, "mountPath": names::INJECTOR_TARGET_PATH }],
        });
        if let (Some(resources), Some(container)) = (resources::of_init_container(pod), container.as_object_mut()) {
            container.insert("resources".to_owned(), resources);
        }
        container
    }
}

/// The volume that the init container fills.
pub(crate) fn volume() -> Value {
    json!({ "name": names::INJECTOR_NAME, "emptyDir": { "sizeLimit": "200M" } })
}

/// The mount of the volume in an application container.
pub(crate) fn mount() -> Value {
    json!({ "name": names::INJECTOR_NAME, "mountPath": names::INJECTOR_MOUNT_PATH, "readOnly": true })
}

/// A variable with a literal value.
pub(crate) fn variable(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

/// Optional in either delivery: a Secret that is gone must not keep a pod from starting.
fn token(token: &TokenRef) -> Value {
    let reference = json!({ "name": token.name, "key": token.key, "optional": true });
    json!({ "name": names::TRACER_TOKEN, "valueFrom": { "secretKeyRef": reference } })
}

/// What the restricted Pod Security Standard asks for, and no less than the rest of the pod has.
fn security_context(pod: &Value) -> Value {
    let others = ["containers", "initContainers"].into_iter().filter_map(|list| pod.get(list)?.as_array()).flatten();
    let must_not_be_root = std::iter::once(pod)
        .chain(others.filter(|container| crate::editor::name_of(container) != Some(names::INJECTOR_NAME)))
        .any(|part| part.pointer("/securityContext/runAsNonRoot") == Some(&Value::Bool(true)));
    let group = pod.pointer("/securityContext/fsGroup").and_then(Value::as_i64);
    let user = group.filter(|group| *group != 0 || !must_not_be_root).unwrap_or(USER);
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
        "runAsUser": user,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    if let (true, Some(context)) = (must_not_be_root, context.as_object_mut()) {
        context.insert("runAsNonRoot".to_owned(), true.into());
    }
    context
}
