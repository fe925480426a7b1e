//! Single changes: what a person's command creates, patches and deletes.

use anyhow::anyhow;
use epiphyte_api::names::FIELD_MANAGER;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use serde_json::Value;

use super::{Cluster, Refusal, Resource};

/// An object that is to be changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) resource: &'a Resource,
    /// `None` for an object of the cluster.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// What becomes of what an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependents {
    /// It is gone before the object is.
    First,
    /// It goes after the object.
    Later,
}

impl Cluster {
    /// Creates an object; false if there is one of that name already.
    pub(crate) async fn create(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<bool, Refusal> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let body = serde_json::to_vec(object).map_err(|error| Refusal::Fatal(error.into()))?;
        let request = resource.request(namespace).create(&params, body);
        match self.client.request::<Value>(request.map_err(build)?).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
            Err(error) => Err(self.refusal("create", resource, namespace, error)),
        }
    }

    /// Merges a patch into an object; the object afterwards, `None` if it is not there.
    pub(crate) async fn merge(&self, what: Named<'_>, patch: &Value) -> Result<Option<Value>, Refusal> {
        let Named { resource, namespace, name } = what;
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let request = resource.request(namespace).patch(name, &params, &Patch::Merge(patch));
        match self.client.request(request.map_err(build)?).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(self.refusal("patch", resource, namespace, error)),
        }
    }

    /// Deletes an object, if it still is the one with this UID. Nothing is wrong if it is gone.
    pub(crate) async fn delete(&self, what: Named<'_>, uid: &str, dependents: Dependents) -> Result<(), Refusal> {
        let Named { resource, namespace, name } = what;
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(match dependents {
                Dependents::First => PropagationPolicy::Foreground,
                Dependents::Later => PropagationPolicy::Background,
            }),
            ..DeleteParams::default()
        };
        let request = resource.request(namespace).delete(name, &params);
        match self.client.request::<Value>(request.map_err(build)?).await {
            Ok(_) => Ok(()),
            // 409 tells that another has its name by now.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(self.refusal("delete", resource, namespace, error)),
        }
    }
}

fn build(error: kube::core::request::Error) -> Refusal {
    Refusal::Fatal(anyhow!(error).context("cannot ask for the change"))
}
