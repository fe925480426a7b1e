//! Everything that is in a namespace, whatever kinds the cluster knows.

use anyhow::Context as _;
use kube::api::ListParams;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, ResourceExt as _};

use super::Cluster;

/// What is in a namespace.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) kind: String,
    pub(crate) metadata: PartialObjectMeta<DynamicObject>,
}

/// Groups and kinds that only tell of other objects.
const SHADOWS: [&str; 6] =
    ["Event", "Endpoints", "PodMetrics", "LocalSubjectAccessReview", "Binding", "PackageManifest"];

impl Cluster {
    /// The objects of a namespace that nothing else owns, by their metadata alone.
    ///
    /// # Errors
    /// One of the kinds cannot be asked for: then nobody knows what is there.
    pub(crate) async fn contents(&self, namespace: &str) -> anyhow::Result<Vec<Content>> {
        let discovery = Discovery::new(self.client.clone()).run().await.context("cannot ask which kinds there are")?;
        let mut contents = Vec::new();
        for group in discovery.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if capabilities.scope != Scope::Namespaced
                    || !capabilities.supports_operation(verbs::LIST)
                    || SHADOWS.contains(&resource.kind.as_str())
                {
                    continue;
                }
                let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
                let listed = match api.list_metadata(&ListParams::default()).await {
                    Ok(listed) => listed.items,
                    // Its definition has gone meanwhile, or it cannot be listed after all.
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => continue,
                    Err(error) => {
                        return Err(error).with_context(|| format!("cannot list {} in {namespace}", resource.plural));
                    }
                };
                let owned = |it: &PartialObjectMeta<DynamicObject>| !it.owner_references().is_empty();
                let free = listed.into_iter().filter(|it| !owned(it));
                contents.extend(free.map(|metadata| Content { kind: resource.kind.clone(), metadata }));
            }
        }
        Ok(contents)
    }
}
