//! Reads a pod as the API server sends it, and passes over what no room needs.

use std::collections::BTreeMap;

use epiphyte_api::Device;
use epiphyte_daemon::{Named, ObjectKey};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Container, Pod, Running, Workload};

/// What of a pod is read.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Box<str>,
    namespace: Box<str>,
    uid: Box<str>,
    resource_version: Box<str>,
    labels: Option<Labels>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "pod-template-hash")]
    template_hash: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Owner {
    kind: Box<str>,
    name: Box<str>,
    controller: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    containers: Vec<ContainerSpec>,
}

#[derive(Deserialize)]
struct ContainerSpec {
    name: Box<str>,
    #[serde(default)]
    image: Box<str>,
    #[serde(default)]
    resources: Resources,
}

#[derive(Deserialize, Default)]
struct Resources {
    limits: Option<BTreeMap<Box<str>, IgnoredAny>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: Option<Box<str>>,
    start_time: Option<Timestamp>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: Box<str>,
    #[serde(default)]
    ready: bool,
    #[serde(rename = "imageID", default)]
    image_id: Box<str>,
    #[serde(rename = "containerID")]
    container_id: Option<Box<str>>,
    #[serde(default)]
    state: State,
}

#[derive(Deserialize, Default)]
struct State {
    running: Option<RunningState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunningState {
    started_at: Option<Timestamp>,
}

impl Named for Manifest {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl From<Manifest> for Pod {
    fn from(Manifest { metadata, spec, status }: Manifest) -> Self {
        let controller = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let hash = metadata.labels.as_ref().and_then(|labels| labels.template_hash.as_deref());
        let workload = controller
            .map_or_else(|| Workload::none(&metadata.name), |owner| Workload::of(&owner.kind, &owner.name, hash));
        let mut statuses = status.container_statuses.unwrap_or_default();
        let container = |spec: ContainerSpec| {
            let status = statuses.iter().position(|status| status.name == spec.name).map(|at| statuses.swap_remove(at));
            spec.with(status)
        };
        Self {
            key: ObjectKey { namespace: metadata.namespace, name: metadata.name },
            uid: metadata.uid,
            workload,
            started: status.start_time,
            finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            containers: spec.containers.into_iter().map(container).collect(),
        }
    }
}

impl ContainerSpec {
    fn with(self, status: Option<ContainerStatus>) -> Container {
        let device = self.resources.limits.iter().flatten().find_map(|(name, _)| Device::from_resource(name));
        let running = status.as_ref().and_then(|status| {
            let (_, id) = status.container_id.as_deref()?.split_once("://")?;
            let since = status.state.running.as_ref()?.started_at?;
            Some(Running { id: id.into(), since, ready: status.ready })
        });
        let image_id = status.map(|status| status.image_id).filter(|id| !id.is_empty());
        Container { name: self.name, image: self.image, image_id, device, running }
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::{Device, WorkloadKind};
    use epiphyte_daemon::Watched as _;

    use crate::pods::Pod;

    #[test]
    fn of_a_pod_only_what_is_needed_is_read() {
        let pod = r#"{
            "kind": "Pod",
            "metadata": {
                "name": "shop-5d9c7bfd4-x2x4z", "namespace": "market", "uid": "u-1", "resourceVersion": "7",
                "labels": { "pod-template-hash": "5d9c7bfd4", "app": "shop" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-5d9c7bfd4", "uid": "u", "controller": true }],
                "managedFields": [{ "manager": "someone" }]
            },
            "spec": { "containers": [
                { "name": "app", "image": "shop:1", "resources": { "limits": { "instrumentation.odigos.io/java-native-community": "1", "cpu": 1 } } },
                { "name": "waits", "image": "waits:1" }
            ] },
            "status": { "phase": "Running", "startTime": "2026-01-01T00:00:00Z", "containerStatuses": [
                { "name": "waits", "state": { "waiting": { "reason": "ImagePullBackOff" } }, "imageID": "" },
                { "name": "app", "ready": true, "imageID": "sha256:1", "containerID": "containerd://abc",
                  "state": { "running": { "startedAt": "2026-01-01T00:00:05Z" } } }
            ] }
        }"#;
        let pod = Pod::read(serde_json::from_str(pod).unwrap());
        assert_eq!((pod.workload.kind, &*pod.workload.name), (Some(WorkloadKind::Deployment), "shop"));
        let app = pod.container("app").unwrap();
        assert_eq!((app.device, app.image_id.as_deref()), (Some(Device::Java), Some("sha256:1")));
        assert_eq!(app.running.as_ref().map(|running| (&*running.id, running.ready)), Some(("abc", true)));
        assert_eq!(pod.container("waits").unwrap().running, None);
        assert_eq!(pod.instrumented(), 1);
    }

    #[test]
    fn a_pod_that_was_just_made_can_be_read() {
        let pod = r#"{ "metadata": { "name": "a", "namespace": "b" }, "spec": {} }"#;
        let pod = Pod::read(serde_json::from_str(pod).unwrap());
        assert_eq!((&*pod.workload.name, pod.workload.kind, pod.finished), ("a", None, false));
    }
}
