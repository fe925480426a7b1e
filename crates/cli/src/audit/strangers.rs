//! What others have in a namespace of ours, which must not go with it.

use epiphyte_api::names::{LEASE, PART_OF, PART_OF_LABEL, UNINSTALLING_CONFIG_MAP, WEBHOOK_SECRET};
use kube::ResourceExt as _;

use crate::cluster::Cluster;

/// Names that are in every namespace, or that the operator gives.
const KNOWN: [(&str, &str); 5] = [
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
    ("ConfigMap", UNINSTALLING_CONFIG_MAP),
    ("Secret", WEBHOOK_SECRET),
    ("Lease", LEASE),
];

/// What others have in a namespace: kinds and names.
///
/// # Errors
/// It cannot be told.
pub(crate) async fn strangers(cluster: &Cluster, namespace: &str) -> anyhow::Result<Vec<String>> {
    let contents = cluster.contents(namespace).await?;
    let strangers = contents.iter().filter_map(|content| {
        let name = content.metadata.name_any();
        let known = KNOWN.iter().any(|(kind, known)| *kind == content.kind && *known == name);
        let ours = content.metadata.labels().get(PART_OF_LABEL).is_some_and(|value| value == PART_OF);
        (!known && !ours).then(|| format!("{} {name}", content.kind))
    });
    Ok(strangers.collect())
}
