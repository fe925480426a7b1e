//! An answer: the one merge patch that sets the languages and drops the label.

use std::collections::BTreeMap;

use epiphyte_api::ContainerRuntime;
use epiphyte_api::names::{DETECT_LABEL, FIELD_MANAGER};
use epiphyte_daemon::Object;
use epiphyte_detect::Runtime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::question::Question;
use crate::pods::{Container, Pod};

/// How writing an answer went.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was taken.
    Answered,
    /// Somebody else wrote first; this is what the object says now.
    Conflict(Box<Question>),
    /// There is nothing to answer any more.
    Gone,
    /// The API server is away, or will not have it.
    Failed(kube::Error),
}

/// The entry about a container of a pod.
pub(crate) fn entry(pod: &Pod, container: &Container, runtime: Runtime) -> ContainerRuntime {
    ContainerRuntime {
        image: Some(container.image.to_string()),
        image_id: container.image_id.as_deref().map(str::to_owned),
        pod_uid: Some(pod.uid.to_string()),
        pod_start_time: pod.started.map(Time),
        ..runtime.into_entry(&*container.name)
    }
}

/// The patch, by what was found of each container: entries that still hold stay as they are, what was not found is left out.
pub(crate) fn patch(question: &Question, found: &BTreeMap<Box<str>, ContainerRuntime>) -> Value {
    let entry = |asked: &epiphyte_api::ContainerRequest| {
        let known = question.answered(asked).cloned();
        known.or_else(|| found.get(asked.container_name.as_str()).map(|entry| json!(entry)))
    };
    let languages: Vec<Value> = question.request.iter().filter_map(entry).collect();
    json!({
        "metadata": { "resourceVersion": &*question.version, "labels": { DETECT_LABEL: null } },
        "spec": { "languages": languages },
    })
}

/// Writes an answer; where somebody else wrote first, reads again.
pub(crate) async fn write(api: &Api<Object<Question>>, question: &Question, patch: &Value) -> Outcome {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let name = &*question.key.name;
    match api.patch(name, &params, &Patch::Merge(patch)).await {
        Ok(_) => Outcome::Answered,
        Err(kube::Error::Api(status)) if status.code == 404 => Outcome::Gone,
        Err(kube::Error::Api(status)) if status.code == 409 => match api.get_opt(name).await {
            Ok(Some(Object { content: Ok(now), .. })) if now.pending => Outcome::Conflict(Box::new(now)),
            Ok(_) => Outcome::Gone,
            Err(error) => Outcome::Failed(error),
        },
        Err(error) => Outcome::Failed(error),
    }
}
