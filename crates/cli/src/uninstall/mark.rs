//! The mark: a ConfigMap in the system namespace that is there while Epiphyte is being uninstalled.

use std::collections::BTreeMap;

use epiphyte_api::names::{OPERATOR, PART_OF, PART_OF_LABEL, PHASE_ANNOTATION, UNINSTALLED, UNINSTALLING_CONFIG_MAP};
use serde_json::{Value, json};

use crate::audit::{CONFIG_MAPS, DEPLOYMENTS, is_helms, text};
use crate::cluster::{Cluster, Dependents, Named, Refusal};

/// The mark of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Mark<'a> {
    pub(super) cluster: &'a Cluster,
    /// The system namespace.
    pub(super) namespace: &'a str,
}

impl Mark<'_> {
    fn named(&self) -> Named<'_> {
        Named { resource: &CONFIG_MAPS, namespace: Some(self.namespace), name: UNINSTALLING_CONFIG_MAP }
    }

    /// Sees to it that it is there. The operator's Deployment owns it, so that it goes with that installation and the next
    /// one never finds itself switched off. True if it was not there before.
    pub(super) async fn put(&self) -> Result<bool, Refusal> {
        let operator = self.cluster.get(&DEPLOYMENTS, Some(self.namespace), OPERATOR).await?;
        let owners: Vec<Value> = operator
            .iter()
            .map(|it| {
                json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": OPERATOR, "uid": text(it, "/metadata/uid"),
                })
            })
            .collect();
        let mark = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": UNINSTALLING_CONFIG_MAP, "namespace": self.namespace, "labels": { PART_OF_LABEL: PART_OF },
                "ownerReferences": owners,
            },
        });
        self.cluster.create(&CONFIG_MAPS, Some(self.namespace), &mark).await
    }

    /// Says that everything is off: operators stop working for good.
    pub(super) async fn close(&self) -> Result<(), Refusal> {
        let patch = json!({ "metadata": { "annotations": { PHASE_ANNOTATION: UNINSTALLED } } });
        self.cluster.merge(self.named(), &patch).await.map(drop)
    }

    /// The mark as it is, if it is there.
    pub(super) async fn read(&self) -> Result<Option<Value>, Refusal> {
        self.cluster.get(&CONFIG_MAPS, Some(self.namespace), UNINSTALLING_CONFIG_MAP).await
    }

    /// What node agents say of their hosts, by node.
    pub(super) async fn hosts(&self) -> Result<BTreeMap<String, String>, Refusal> {
        let mark = self.read().await?.unwrap_or_default();
        let data = mark.get("data").and_then(Value::as_object);
        let said =
            data.into_iter().flatten().filter_map(|(node, said)| Some((node.clone(), said.as_str()?.to_owned())));
        Ok(said.collect())
    }

    /// Takes it away; true if it was there.
    pub(super) async fn remove(&self) -> Result<bool, Refusal> {
        let Some(mark) = self.read().await? else { return Ok(false) };
        self.cluster.delete(self.named(), text(&mark, "/metadata/uid"), Dependents::Later).await?;
        Ok(true)
    }

    /// Whether Helm is about to remove the Deployment that owns the mark. Until then operators must find it.
    pub(super) async fn goes_with_helm(&self) -> Result<bool, Refusal> {
        let operator = self.cluster.get(&DEPLOYMENTS, Some(self.namespace), OPERATOR).await?;
        let owned = self.read().await?.is_some_and(|mark| mark.pointer("/metadata/ownerReferences").is_some());
        Ok(owned && operator.is_some_and(|operator| is_helms(&operator)))
    }
}
