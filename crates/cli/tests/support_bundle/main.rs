//! `epiphyte support-bundle` against a real API server: what is in it, and what must not be.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::*;

/// The user that makes the bundle.
const PERSON: &str = "person";

/// What people write where it is nobody's business.
const PRIVATE: &str = "hunter2-not-to-be-seen";

fn bundle(cluster: &Cluster, user: &str, groups: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["support-bundle", "--system-namespace", SYSTEM, "--file"])
        .arg(file)
        .env("KUBECONFIG", cluster.plane.user(user, groups).expect("a kubeconfig"))
        .output()
        .expect("it runs")
}

/// Files of a bundle, by their paths without the folder that all are in.
fn files(path: &Path) -> BTreeMap<String, String> {
    let unzipped = flate2::read::GzDecoder::new(File::open(path).expect("the bundle is there"));
    let mut archive = tar::Archive::new(unzipped);
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("a file");
        let path = entry.path().expect("a path").display().to_string();
        let (folder, path) = path.split_once('/').expect("a folder");
        assert!(folder.starts_with("epiphyte-support-"), "{folder}");
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        files.insert(path.to_owned(), text);
    }
    files
}

/// A cluster with an operator, a traced workload with private things in it, and settings of ours with some too.
async fn furnished() -> (Cluster, Operator) {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    cluster.namespace("shop", None).await;
    cluster.lumigo("shop").await;
    let mut till = idle(deployment("shop", "till"));
    till["metadata"]["annotations"] = json!({ "note": PRIVATE });
    till["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "DATABASE", "value": PRIVATE }, { "name": "LD_PRELOAD", "value": format!("/{PRIVATE}.so") }]);
    till["spec"]["template"]["spec"]["containers"][0]["args"] = json!([PRIVATE]);
    cluster.apply(&till).await;
    let labels = json!({ "app.kubernetes.io/part-of": "epiphyte", "app.kubernetes.io/name": "epiphyte-operator" });
    let settings = format!("endpoint: {{}}\nheaders:\n  x-api: {PRIVATE}\nlogged: {TOKEN}\n");
    cluster
        .apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "epiphyte-operator", "namespace": SYSTEM, "labels": labels },
            "data": { "settings.yaml": settings },
        }))
        .await;
    let mut ours = deployment(SYSTEM, "epiphyte-operator");
    ours["metadata"]["labels"] = labels.clone();
    ours["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("epiphyte");
    ours["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "KEY", "value": PRIVATE }]);
    cluster.apply(&ours).await;
    until("its pod is made", || async { !cluster.list("v1", "pods", SYSTEM).await.is_empty() }).await;
    (cluster, operator)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_what_helps_and_no_secret() {
    let (cluster, operator) = furnished().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bundle.tar.gz");
    let mark = cluster.plane.audit().mark().expect("a mark");
    let said = bundle(&cluster, PERSON, &["system:masters"], &file);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let told = String::from_utf8(said.stdout).expect("text");
    assert!(told.contains("objects/: ") && told.contains(&file.display().to_string()), "{told}");
    assert_eq!(file.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);

    let files = files(&file);
    for expected in [
        "doctor.json",
        "doctor.txt",
        "status.json",
        "status.txt",
        "versions.json",
        "explain/shop/deployment-till.json",
        "objects/lumigoes.operator.lumigo.io.json",
        "objects/deployments.apps.json",
        "objects/mutatingwebhookconfigurations.admissionregistration.k8s.io.json",
        "objects/configmaps.json",
        "objects/events.json",
        "objects/leases.coordination.k8s.io.json",
        "objects/nodes.json",
        // There is no kubelet to ask for logs.
        "not-collected.txt",
    ] {
        assert!(files.contains_key(expected), "{expected} is not among {:?}", files.keys());
    }
    let explained: Value = serde_json::from_str(&files["explain/shop/deployment-till.json"]).expect("JSON");
    assert_eq!((&explained["name"], &explained["verdict"]), (&json!("till"), &json!("on")), "{explained:#}");
    let events = &files["objects/events.json"];
    assert!(events.contains("LumigoAddedInstrumentation"), "{events}");
    assert!(files["not-collected.txt"].contains("log of app of pod"), "{}", files["not-collected.txt"]);

    for (path, text) in &files {
        for private in [PRIVATE, TOKEN] {
            assert!(!text.contains(private), "{private} is in {path}");
        }
    }
    assert!(files["objects/configmaps.json"].contains("headers: (left out)"));
    let entries = cluster.plane.audit().since(mark).expect("the audit log");
    let asked: Vec<_> =
        entries.iter().filter(|it| it.user.username == PERSON && it.request_uri.contains("/secrets")).collect();
    assert!(asked.is_empty(), "{asked:?}");

    // A bundle that is there is not written over.
    let again = bundle(&cluster, PERSON, &["system:masters"], &file);
    assert_eq!(again.status.code(), Some(1));
    assert!(!self::files(&file).is_empty());
    drop(operator);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_ask_little_gets_a_bundle_that_says_what_is_missing() {
    let cluster = Cluster::bare().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bundle.tar.gz");
    let said = bundle(&cluster, "nobody", &[], &file);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let files = files(&file);
    assert!(files["not-collected.txt"].contains("grant the verb list on nodes"), "{}", files["not-collected.txt"]);
    let doctor: Value = serde_json::from_str(&files["doctor.json"]).expect("JSON");
    assert_eq!(doctor["verdict"], "notKnown", "{doctor:#}");
}
