//! The node agent's part, played with `kubectl`: answers what the operator asks with what `examples/` says.

use anyhow::Result;
use epiphyte_api::names::{DETECT_LABEL, DETECT_PENDING};
use serde_json::{Value, json};

use crate::demo::cluster::{Cluster, objects};

/// What the answers are taken from.
const ANSWERS: &str = "examples/30-details.yaml";

/// Answers every question that an answer is known for; returns how many.
pub fn answer(cluster: &Cluster) -> Result<usize> {
    let asked = cluster.list("instrumentedapplications")?;
    let mut answered = 0;
    for known in objects(ANSWERS)? {
        let text = |object: &Value, pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let same = |other: &&Value| {
            ["/metadata/namespace", "/metadata/name"].iter().all(|at| text(other, at) == text(&known, at))
        };
        let Some(question) = asked.iter().find(same).filter(|question| is_pending(question)) else {
            continue;
        };
        // As a node agent does it: one patch, under the version that was read.
        let patch = json!({
            "metadata": {
                "resourceVersion": question.pointer("/metadata/resourceVersion"),
                "labels": { DETECT_LABEL: null },
            },
            "spec": { "languages": known.pointer("/spec/languages") },
        });
        let (Some(namespace), Some(name)) = (text(&known, "/metadata/namespace"), text(&known, "/metadata/name"))
        else {
            continue;
        };
        let patch = patch.to_string();
        let arguments =
            ["patch", "instrumentedapplication", &name, "--namespace", &namespace, "--type=merge", "--patch", &patch];
        // A conflict means that the operator wrote in between; the next look finds the question again.
        match cluster.kubectl(&arguments) {
            Ok(_) => answered += 1,
            Err(error) if error.to_string().contains("Conflict") || error.to_string().contains("modified") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answered)
}

fn is_pending(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(DETECT_LABEL)).and_then(Value::as_str) == Some(DETECT_PENDING)
}
