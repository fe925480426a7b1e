//! Nodes that are only objects: enough for whatever looks at what nodes offer.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Taint};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::image::architecture;
use crate::{ControlPlane, Error, Result};

/// A node to write; see [`ControlPlane::create_node`].
#[derive(Debug, Clone)]
pub struct FakeNode {
    name: String,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    allocatable: BTreeMap<String, String>,
    ready: bool,
}

impl FakeNode {
    /// A ready Linux node for this machine's architecture with 8 cores, 32 GiB and room for 110 pods.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self {
            labels: pairs(&[
                ("kubernetes.io/hostname", &name),
                ("kubernetes.io/os", "linux"),
                ("kubernetes.io/arch", architecture()),
            ]),
            taints: Vec::new(),
            allocatable: pairs(&[("cpu", "8"), ("memory", "32Gi"), ("ephemeral-storage", "100Gi"), ("pods", "110")]),
            ready: true,
            name,
        }
    }

    /// A further label, or another value for one.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// A taint; the effect is `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[must_use]
    pub fn taint(mut self, key: impl Into<String>, value: impl Into<String>, effect: impl Into<String>) -> Self {
        let taint = Taint { key: key.into(), value: Some(value.into()), effect: effect.into(), time_added: None };
        self.taints.push(taint);
        self
    }

    /// A resource that it has to give, such as a device, or another quantity of one.
    #[must_use]
    pub fn offers(mut self, resource: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.allocatable.insert(resource.into(), quantity.into());
        self
    }

    /// Whether its condition `Ready` is true.
    #[must_use]
    pub fn ready(mut self, ready: bool) -> Self {
        self.ready = ready;
        self
    }

    fn object(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": self.labels},
            "spec": {"taints": self.taints},
        })
    }

    fn status(&self) -> Value {
        let (status, reason) = if self.ready { ("True", "KubeletReady") } else { ("False", "KubeletNotReady") };
        json!({
            "capacity": self.allocatable,
            "allocatable": self.allocatable,
            "conditions": [{"type": "Ready", "status": status, "reason": reason}],
        })
    }
}

impl ControlPlane {
    /// Writes a node and its status.
    ///
    /// # Errors
    /// When the API server declines, as it does where there is a node of that name.
    pub async fn create_node(&self, node: &FakeNode) -> Result<Node> {
        let nodes: Api<Node> = Api::all(self.client());
        let action = format!("create the node {}", node.name);
        let object = serde_json::from_value(node.object())
            .map_err(|error| Error::Api { action: action.clone(), source: Box::new(kube::Error::SerdeError(error)) })?;
        nodes.create(&PostParams::default(), &object).await.map_err(Error::api(action))?;
        self.update_node(node).await
    }

    /// Writes a node that there is anew: its labels (none is removed), its taints, its status.
    ///
    /// # Errors
    /// When the API server declines, as it does where there is no node of that name.
    pub async fn update_node(&self, node: &FakeNode) -> Result<Node> {
        let nodes: Api<Node> = Api::all(self.client());
        let failed = || Error::api(format!("update the node {}", node.name));
        let params = PatchParams::default();
        // Admission taints every new node as not ready; the controller that would take this off does not run.
        let mut there = nodes.patch(&node.name, &params, &Patch::Merge(node.object())).await.map_err(failed())?;
        // Replaced as a whole, so that a resource no longer on offer goes; whatever the node's controllers wrote meanwhile.
        there.metadata.resource_version = None;
        let status = serde_json::from_value(node.status());
        there.status = Some(status.map_err(|error| failed()(kube::Error::SerdeError(error)))?);
        nodes.replace_status(&node.name, &PostParams::default(), &there).await.map_err(failed())
    }
}
