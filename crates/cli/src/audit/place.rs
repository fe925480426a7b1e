//! Where the operator is installed.

use anyhow::bail;
use epiphyte_api::names::OPERATOR;
use serde_json::Value;

use super::installed::{DEPLOYMENTS, selector, text};
use crate::cluster::{Cluster, Refusal};

/// The system namespace: the one that the operator's Deployment is in, else the one that was given. What is done in another
/// namespace than the operator's, the operator does not hear of.
pub(crate) async fn system_namespace(cluster: &Cluster, given: &str) -> anyhow::Result<String> {
    let mut found = Vec::new();
    let each = |deployment: Value| {
        if text(&deployment, "/metadata/name") == OPERATOR {
            found.push(text(&deployment, "/metadata/namespace").to_owned());
        }
    };
    match cluster.list_labelled(&DEPLOYMENTS, &selector(), each).await {
        Ok(()) | Err(Refusal::Forbidden(_) | Refusal::Unserved(_)) => {}
        Err(Refusal::Fatal(error)) => return Err(error),
    }
    if found.iter().any(|namespace| namespace == given) {
        return Ok(given.to_owned());
    }
    match found.as_slice() {
        [] => Ok(given.to_owned()),
        [only] => Ok(only.clone()),
        several => bail!("operators are installed in several namespaces, {}: give one of them", several.join(" and ")),
    }
}
