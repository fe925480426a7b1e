//! Raw requests on workloads: what is written is never typed, so that unknown fields survive.

use epiphyte_plan::{Manifest, Workload};
use json_patch::Patch as JsonPatch;
use kube::Client;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use serde_json::Value;

use crate::failure::Failure;
use crate::index::WorkloadKey;
use epiphyte_api::names::FIELD_MANAGER;

/// Reads and patches workloads as raw JSON.
#[derive(Clone)]
pub(crate) struct Workloads {
    client: Client,
}

impl Workloads {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The object as the API server has it, not older than a resource version: out of the API server's memory, which saves it
    /// a read of etcd.
    pub(crate) async fn get(&self, key: &WorkloadKey, resource_version: &str) -> Result<Value, Failure> {
        let params = GetParams::at(resource_version);
        let request = request(key).get(&key.name, &params).map_err(kube::Error::BuildRequest)?;
        Ok(self.client.request(request).await?)
    }

    /// Patches the object and reads back what became of it.
    pub(crate) async fn patch(&self, key: &WorkloadKey, patch: JsonPatch) -> Result<Workload, Failure> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Json::<()>(patch);
        let request = request(key).patch(&key.name, &params, &patch).map_err(kube::Error::BuildRequest)?;
        let manifest: Manifest = self.client.request(request).await?;
        Ok(manifest.into_workload(key.kind))
    }
}

fn request(key: &WorkloadKey) -> Request {
    Request::new(format!("/apis/{}/namespaces/{}/{}", key.kind.api_version(), key.namespace, key.kind.plural()))
}
