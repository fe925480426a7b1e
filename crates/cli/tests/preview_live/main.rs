//! What a preview of the examples shows is what the operator then does to them, byte for byte.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use epiphyte_api::WorkloadKind;
use epiphyte_testbed::Entry;
use serde::Deserialize as _;
use serde_json::{Value, json};
use support::*;

/// Patches as JSON, by kind, namespace and name of the workload.
type Patches = BTreeMap<(WorkloadKind, String, String), String>;

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_does_what_a_preview_of_the_examples_shows() {
    let previewed = preview();
    assert!(previewed.len() > 5, "the examples show something: {previewed:?}");

    let cluster = Cluster::bare().await;
    cluster.plane.create_node(&node("node-1")).await.expect("a node");
    // Before there is an operator: one that is there injects workloads when they are created.
    for file in examples() {
        cluster.kubectl(&["apply", "-f", &file.display().to_string()]);
        write_status(&cluster, &file);
    }
    // A device that comes before the Lumigo is active gets the token with the next change of its template only.
    let lumigo =
        Object { api_version: "operator.lumigo.io/v1", plural: "lumigoes", namespace: "legacy", name: "lumigo" };
    let active = json!({
        "type": "Active", "status": "True", "reason": "LumigoActive", "message": "Lumigo is ready.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    cluster.merge(&lumigo, "status", &json!({ "status": { "conditions": [active] } })).await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    let _operator = cluster.operator(&OperatorOptions::default()).await;
    let sent = || patches(&cluster.operator_writes(mark));
    until("every workload is patched", || async { sent().len() >= previewed.len() }).await;

    // Whatever else it is about to do, it does before this.
    cluster.namespace("afterwards", None).await;
    cluster.apply(&annotated(deployment("afterwards", "last"), "true")).await;
    cluster.answer(WorkloadKind::Deployment, "afterwards", "last", &[("app", "java")]).await;
    cluster.until_devices(WorkloadKind::Deployment, "afterwards", "last", &[("app", JAVA)]).await;
    let mut sent = sent();
    sent.retain(|(_, namespace, _), _| namespace != "afterwards");
    assert_eq!(sent, previewed);
}

/// The patches that a preview shows, empty ones aside.
fn preview() -> Patches {
    let output = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["preview", "-o", "json", "-f"])
        .arg(folder())
        .output()
        .expect("the preview runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let preview: Value = serde_json::from_slice(&output.stdout).expect("the preview is JSON");
    let shown = preview["workloads"].as_array().expect("workloads").iter().map(|workload| {
        let text = |member: &str| workload[member].as_str().expect("a text").to_owned();
        let kind = text("kind").parse().expect("a kind");
        ((kind, text("namespace"), text("name")), workload["patch"].to_string())
    });
    shown.filter(|(_, patch)| patch != "[]").collect()
}

/// The patches of workloads that were sent, without the condition on the resource version; each workload has one.
fn patches(writes: &[Entry]) -> Patches {
    let mut patches = Patches::new();
    for entry in writes.iter().filter(|entry| entry.verb == "patch") {
        let object = entry.object_ref.as_ref().expect("an object");
        let Some(kind) = WorkloadKind::ALL.into_iter().find(|kind| entry.is_about(kind.plural())) else { continue };
        let mut patch = entry.request_object.clone().expect("a patch");
        let condition = patch.as_array_mut().expect("a JSON patch").remove(0);
        assert_eq!(condition["path"], "/metadata/resourceVersion");
        let key = (kind, object.namespace.clone(), object.name.clone());
        assert_eq!(patches.insert(key, patch.to_string()), None, "{} was patched twice", object.name);
    }
    patches
}

/// Writes the status that the objects of a file show, as whoever owns it would.
fn write_status(cluster: &Cluster, file: &Path) {
    let text = std::fs::read_to_string(file).expect("an example");
    for document in yaml_serde::Deserializer::from_str(&text) {
        let object = Value::deserialize(document).expect("YAML");
        if object.get("status").is_some() {
            cluster.kubectl_with(&["apply", "--server-side", "--subresource=status", "-f", "-"], &object);
        }
    }
}

/// The examples in the order of their names.
fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the examples").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort_unstable();
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}
