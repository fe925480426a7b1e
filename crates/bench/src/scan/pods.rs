//! The pods of the node and the questions about them, in the API server.

use anyhow::Result;
use epiphyte_api::names::{DETECT_LABEL, DETECT_PENDING};
use epiphyte_api::{Device, Language};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::crowd::Container;
use super::kubelet::Given;
use crate::cluster::{Cluster, until};
use crate::manifests::{Shape, deployment};

/// Their node.
pub(super) const NODE: &str = "node-1";

const NAMESPACE: &str = "market";

/// What a Deployment calls the pods of its template.
const HASH: &str = "5d9c7bfd4";

const QUESTIONS: &str = "/apis/odigos.io/v1alpha1/namespaces/market/instrumentedapplications";

/// Requests that are under way at once.
const AT_ONCE: usize = 16;

/// The pods of the node, each of a Deployment of its own.
pub(super) struct Pods<'a> {
    cluster: &'a Cluster,
    manifests: Vec<(Value, Option<Device>)>,
}

impl<'a> Pods<'a> {
    /// Creates a pod that runs for each container. Those of a language that the agents serve have a device.
    pub(super) async fn create(cluster: &'a Cluster, containers: &[Container]) -> Result<Self> {
        cluster.namespace(NAMESPACE).await?;
        let account = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default");
        until("the service account is there", async || Ok(cluster.get(&account).await.is_ok())).await?;
        let manifests: Vec<_> = containers.iter().enumerate().map(|(number, it)| pod(number, it)).collect();
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        let create = async |((pod, _), container): (&(Value, Option<Device>), &Container)| {
            cluster.create(&path, pod).await?;
            cluster.merge(&format!("{path}/{}/status", name(pod)), &status(pod, container)).await.map(drop)
        };
        let requests = manifests.iter().zip(containers).map(create);
        futures::stream::iter(requests).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(Self { cluster, manifests })
    }

    /// The devices that containers have.
    pub(super) fn devices(&self) -> Vec<Given> {
        let given = |(number, (pod, device)): (usize, &(Value, Option<Device>))| {
            Some(Given { namespace: NAMESPACE, pod: name(pod).to_owned(), device: (*device)?, number })
        };
        self.manifests.iter().enumerate().filter_map(given).collect()
    }

    /// Asks about all of them, as the operator does.
    pub(super) async fn ask(&self) -> Result<()> {
        let ask = async |(number, (pod, _)): (usize, &(Value, Option<Device>))| {
            let question = json!({
                "apiVersion": "odigos.io/v1alpha1",
                "kind": "InstrumentedApplication",
                "metadata": {
                    "name": format!("deployment-{}", workload(number)),
                    "namespace": NAMESPACE,
                    "labels": { DETECT_LABEL: DETECT_PENDING },
                },
                "spec": { "request": [{ "containerName": "app", "image": image(pod) }] },
            });
            self.cluster.create(QUESTIONS, &question).await.map(drop)
        };
        let requests = self.manifests.iter().enumerate().map(ask);
        futures::stream::iter(requests).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// Whether all are answered for.
    pub(super) async fn are_answered(&self) -> Result<bool> {
        let list = self.cluster.get(QUESTIONS).await?;
        let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let answered = items.iter().filter(|item| item.pointer("/spec/languages/0").is_some()).count();
        Ok(answered == self.manifests.len())
    }
}

fn workload(number: usize) -> String {
    format!("service-{number:03}")
}

/// A pod as its ReplicaSet makes it, and the device that it asks for.
fn pod(number: usize, container: &Container) -> (Value, Option<Device>) {
    let workload = workload(number);
    let device = match container.language {
        Some(Language::Java) => Some(Device::Java),
        Some(Language::JavaScript) => Some(Device::JavaScript),
        Some(Language::Python) => Some(Device::Python),
        _ => None,
    };
    let mut deployment = deployment(NAMESPACE, &workload, Shape::new(1, 12 + number * 7 % 29));
    let mut pod = deployment.pointer_mut("/spec/template").map(Value::take).unwrap_or_default();
    let edits = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{workload}-{HASH}-x2x4z"),
            "namespace": NAMESPACE,
            "labels": { "pod-template-hash": HASH },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{workload}-{HASH}"),
                "uid": container.pod_uid, "controller": true,
            }],
        },
        "spec": { "nodeName": NODE, "serviceAccountName": "default" },
    });
    json_patch::merge(&mut pod, &edits);
    if let (Some(device), Some(limits)) = (device, pod.pointer_mut("/spec/containers/0/resources/limits")) {
        json_patch::merge(limits, &json!({ device.resource(): "1" }));
    }
    (pod, device)
}

/// What the kubelet says of a pod that runs.
fn status(pod: &Value, container: &Container) -> Value {
    json!({ "status": {
        "phase": "Running",
        "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": [{
            "name": "app", "ready": true, "started": true, "restartCount": 0, "image": image(pod),
            "imageID": format!("images.example/storefront/app@sha256:{:064x}", 1),
            "containerID": format!("containerd://{}", container.id),
            "state": { "running": { "startedAt": "2026-01-01T00:00:05Z" } },
        }],
    } })
}

fn name(pod: &Value) -> &str {
    pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn image(pod: &Value) -> &str {
    pod.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or_default()
}
