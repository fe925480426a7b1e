//! What Epiphyte has told of a workload lately, by Events.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{Cluster, Refusal, Resource};

const EVENTS: Resource = Resource { group: "", version: "v1", kind: "Event", plural: "events" };

/// The last so many are shown.
const SHOWN: usize = 10;

/// An Event of ours on a workload.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// When it was last told.
    #[serde(rename(deserialize = "lastTimestamp"))]
    pub(crate) time: Option<String>,
    /// `Normal` or `Warning`.
    #[serde(default)]
    pub(crate) r#type: String,
    /// The reason code.
    #[serde(default)]
    pub(crate) reason: String,
    /// What it says.
    #[serde(default)]
    pub(crate) message: String,
}

/// Our Events on the object with a UID, the oldest first.
pub(crate) async fn events(cluster: &Cluster, namespace: &str, uid: &str) -> Result<Vec<Told>, Refusal> {
    let mut told: Vec<Told> = Vec::new();
    let selector = format!("involvedObject.uid={uid}");
    let keep = |event: Value| {
        let component = event.pointer("/source/component").and_then(Value::as_str).unwrap_or_default();
        // The second is how Events of the injector delivery are signed.
        if ["epiphyte", "lumigo-operator."].iter().any(|ours| component.starts_with(ours)) {
            told.extend(Told::deserialize(&event));
        }
    };
    cluster.list(&EVENTS, Some(namespace), Some(&selector), keep).await?;
    told.sort_by(|a, b| a.time.cmp(&b.time));
    Ok(told.split_off(told.len().saturating_sub(SHOWN)))
}
