//! `epiphyte explain` and `epiphyte status` as a person runs them, against a real API server. No operator runs: what it
//! would do is told without it.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use epiphyte_api::Device;
use epiphyte_testbed::{ControlPlane, FakeNode};
use serde_json::{Value, json};

/// The control plane of all tests of this file; it goes with the process.
static SHARED: LazyLock<Shared> = LazyLock::new(Shared::start);

struct Shared {
    plane: ControlPlane,
    /// Its client lives on it.
    _runtime: tokio::runtime::Runtime,
    /// What `explain` and `status` said before there were any CustomResourceDefinitions.
    before: [Output; 2],
}

impl Shared {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let plane = runtime.block_on(ControlPlane::start()).expect("a control plane");
        let node = FakeNode::new("node").offers(Device::Java.resource(), "10");
        runtime.block_on(plane.create_node(&node)).expect("a node");
        apply(&plane, &deployment("early", json!({ "odigos.io/instrument": "true" })).to_string());
        let before = [
            run(&plane.kubeconfig(), &["explain", "deploy/early", "-o", "json"]),
            run(&plane.kubeconfig(), &["status", "-o", "json"]),
        ];

        let crds = Command::new(env!("CARGO_BIN_EXE_epiphyte")).arg("crds").output().expect("run epiphyte");
        apply(&plane, &String::from_utf8(crds.stdout).expect("text"));
        kubectl(&plane, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
        kubectl(&plane, &["create", "namespace", "odigos-system"]);
        let group = json!({
            "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
            "metadata": { "name": "gateway", "namespace": "odigos-system" }, "spec": { "role": "CLUSTER_GATEWAY" },
        });
        apply(&plane, &group.to_string());
        let ready = r#"{"status": {"ready": true}}"#;
        let group = ["collectorsgroup", "gateway", "-n", "odigos-system"];
        kubectl(&plane, &[&["patch"], &group[..], &["--subresource=status", "--type=merge", "-p", ready]].concat());
        Self { plane, _runtime: runtime, before }
    }
}

fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = plane.kubectl().args(arguments).output().expect("run kubectl");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn apply(plane: &ControlPlane, manifest: &str) {
    let mut kubectl = plane.kubectl();
    kubectl.args(["apply", "--server-side", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut apply = kubectl.spawn().expect("run kubectl");
    apply.stdin.take().expect("piped").write_all(manifest.as_bytes()).expect("write the manifest");
    assert!(apply.wait().expect("wait for kubectl").success(), "{manifest}");
}

/// Makes a namespace with a Deployment `shop` in it.
fn shop(namespace: &str, annotations: Value) {
    let mut object = deployment("shop", annotations);
    object["metadata"]["namespace"] = namespace.into();
    kubectl(&SHARED.plane, &["create", "namespace", namespace]);
    apply(&SHARED.plane, &object.to_string());
}

fn deployment(name: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "annotations": annotations },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "app", "image": "shop:1" }] },
            },
        },
    })
}

fn details(namespace: &str) -> String {
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentedApplication",
        "metadata": { "name": "deployment-shop", "namespace": namespace },
        "spec": { "languages": [{ "containerName": "app", "language": "java" }] },
    })
    .to_string()
}

fn run(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut epiphyte = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    epiphyte.args(arguments).env_clear().env("KUBECONFIG", kubeconfig).output().expect("run epiphyte")
}

fn text(arguments: &[&str]) -> String {
    let output = run(&SHARED.plane.kubeconfig(), arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn explain(target: &str, namespace: &str) -> Value {
    serde_json::from_str(&text(&["explain", target, "-n", namespace, "-o", "json"])).expect("JSON")
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_marked_deployment_without_details_waits_for_detection_and_says_what_to_do() {
    shop("waiting", json!({ "odigos.io/instrument": "true" }));
    let told = explain("deployment/shop", "waiting");
    assert_eq!(told["verdict"], "keep");
    assert_eq!(told["containers"][0]["reason"], "WaitingForDetection");
    assert_eq!(told["present"]["state"], "waiting");
    assert_eq!(told["due"], json!({ "surgery": false, "details": "ask" }));
    assert_eq!(told["notes"], json!([]));
    let page = text(&["explain", "Deployments/shop", "-n", "waiting"]);
    assert!(page.starts_with("Deployment waiting/shop\n  now: waiting, generation 1 (app not)\n"), "{page}");
    assert!(page.contains("Wait until a pod of the workload runs on a node with a node agent"), "{page}");

    let page = text(&["status"]);
    let row: Vec<&str> =
        page.lines().find(|line| line.starts_with("waiting ")).expect("a row").split_whitespace().collect();
    // What follows is how its pods come and go.
    assert_eq!(row[..7], ["waiting", "Deployment", "shop", "waiting", "device", "-", "WaitingForDetection"]);
    assert!(page.starts_with("collectors:   CollectorsReady: "), "{page}");
    assert!(page.contains("nodes:        1 of 1 offer devices\n"), "{page}");
}

#[test]
fn the_patch_that_is_shown_is_the_patch_that_instruments() {
    shop("patched", json!({ "odigos.io/instrument": "true" }));
    apply(&SHARED.plane, &details("patched"));
    let told = explain("deploy/shop", "patched");
    assert_eq!((&told["verdict"], &told["present"]["state"]), (&json!("on"), &json!("waiting")));
    assert_eq!(told["present"]["why"]["reason"], "InstrumentationPending");
    assert_eq!(told["due"]["surgery"], true);
    let patch = told["patch"].to_string();
    kubectl(&SHARED.plane, &["patch", "deployment", "shop", "-n", "patched", "--type=json", "-p", &patch]);
    let told = explain("deploy/shop", "patched");
    assert_eq!(told["patch"], json!([]));
    assert_eq!((&told["present"]["state"], &told["present"]["generation"]), (&json!("on"), &json!(2)));
    assert_eq!(told["present"]["containers"][0]["devices"], json!([Device::Java.resource()]));
    let status: Value = serde_json::from_str(&text(&["status", "-n", "patched", "-o", "json"])).expect("JSON");
    let row = &status["workloads"][0];
    assert_eq!(
        (&row["state"], &row["delivery"], &row["languages"]),
        (&json!("on"), &json!("device"), &json!(["java"]))
    );
}

/// Applies a Lumigo with a status; the changes are laid over its specification.
fn lumigo(namespace: &str, name: &str, specification: &Value, active: bool) {
    let condition = |r#type, message| {
        json!({
            "type": r#type, "status": "True", "reason": format!("Lumigo{type}"), "message": message,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        })
    };
    let condition = if active { condition("Active", "Lumigo is ready") } else { condition("Error", "no such secret") };
    let object = json!({
        "apiVersion": "operator.lumigo.io/v1", "kind": "Lumigo",
        "metadata": { "name": name, "namespace": namespace }, "spec": specification,
    });
    apply(&SHARED.plane, &object.to_string());
    let status = json!({ "status": { "conditions": [condition] } }).to_string();
    let target = ["patch", "lumigo", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", &status];
    kubectl(&SHARED.plane, &target);
}

#[test]
fn what_a_lumigo_says_now_reaches_an_injected_workload_at_its_next_template_change_and_that_is_told() {
    shop("renewed", json!({}));
    let token = |name: &str| json!({ "secretRef": { "name": name, "key": "token" } });
    lumigo("renewed", "first", &json!({ "lumigoToken": token("one") }), true);
    let patch = explain("deploy/shop", "renewed")["patch"].to_string();
    kubectl(&SHARED.plane, &["patch", "deployment", "shop", "-n", "renewed", "--type=json", "-p", &patch]);
    let told = explain("deploy/shop", "renewed");
    assert_eq!((&told["present"]["state"], &told["renewal"]), (&json!("on"), &Value::Null));
    assert_eq!(
        told["lumigo"],
        json!({
            "namespace": "renewed", "name": "first", "active": true, "reason": "LumigoActive",
            "message": "Lumigo is ready",
        })
    );

    let changed = json!({ "lumigoToken": token("two"), "logging": { "enabled": true } });
    lumigo("renewed", "first", &changed, true);
    let told = explain("deploy/shop", "renewed");
    assert_eq!((&told["due"]["surgery"], &told["patch"]), (&json!(false), &json!([])));
    assert_eq!(told["renewal"]["reason"], "AwaitingTemplateChange");
    assert_eq!(told["renewal"]["about"], "LUMIGO_TRACER_TOKEN, LUMIGO_ENABLE_LOGS");
    let page = text(&["explain", "deploy/shop", "-n", "renewed"]);
    assert!(page.contains("  ahead:\n    AwaitingTemplateChange: "), "{page}");
    assert!(page.contains("  lumigo:\n    renewed/first: active, LumigoActive: Lumigo is ready\n"), "{page}");
    assert!(page.contains("kubectl rollout restart"), "{page}");

    // Another image of the agents is told too.
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "injector: {image: \"agents:next\"}").expect("write the settings");
    let settings = settings.to_str().expect("text");
    let told = text(&["explain", "deploy/shop", "-n", "renewed", "--config", settings, "-o", "json"]);
    assert!(told.contains("LUMIGO_TRACER_TOKEN, LUMIGO_ENABLE_LOGS, image of the agents"), "{told}");

    // Of a Lumigo that is not active nothing reaches a workload.
    kubectl(&SHARED.plane, &["delete", "lumigo", "first", "-n", "renewed"]);
    lumigo("renewed", "first", &json!({ "lumigoToken": token("three") }), false);
    let told = explain("deploy/shop", "renewed");
    assert_eq!((&told["verdict"], &told["renewal"]), (&json!("keep"), &Value::Null));
    assert_eq!(told["lumigo"]["message"], "no such secret");
}

#[test]
fn a_token_that_a_lumigo_brings_reaches_a_device_at_the_next_template_change() {
    shop("device-token", json!({ "odigos.io/instrument": "true" }));
    apply(&SHARED.plane, &details("device-token"));
    let patch = explain("deploy/shop", "device-token")["patch"].to_string();
    kubectl(&SHARED.plane, &["patch", "deployment", "shop", "-n", "device-token", "--type=json", "-p", &patch]);
    assert_eq!(explain("deploy/shop", "device-token")["renewal"], Value::Null);
    let token = json!({ "secretRef": { "name": "credentials", "key": "token" } });
    lumigo("device-token", "first", &json!({ "lumigoToken": token }), true);
    let told = explain("deploy/shop", "device-token");
    assert_eq!((&told["renewal"]["about"], &told["due"]["surgery"]), (&json!("LUMIGO_TRACER_TOKEN"), &json!(false)));
}

#[test]
fn status_lists_every_lumigo_and_how_many_workloads_the_one_that_counts_has_injected() {
    shop("listed", json!({}));
    lumigo("listed", "a-first", &json!({}), true);
    let patch = explain("deploy/shop", "listed")["patch"].to_string();
    kubectl(&SHARED.plane, &["patch", "deployment", "shop", "-n", "listed", "--type=json", "-p", &patch]);
    lumigo("listed", "b-second", &json!({}), false);
    let status: Value = serde_json::from_str(&text(&["status", "-n", "listed", "-o", "json"])).expect("JSON");
    let row = |name, active, injected, reason, message| {
        json!({
            "namespace": "listed", "name": name, "active": active, "injected": injected, "reason": reason,
            "message": message,
        })
    };
    let first = row("a-first", true, 1, "LumigoActive", "Lumigo is ready");
    assert_eq!(status["lumigoes"], json!([first, row("b-second", false, 0, "LumigoError", "no such secret")]));
    let page = text(&["status", "-n", "listed"]);
    let row: Vec<&str> =
        page.lines().find(|line| line.contains("b-second")).expect("a row").split_whitespace().take(5).collect();
    assert_eq!(row, ["listed", "b-second", "no", "0", "LumigoError"]);
}

#[test]
fn our_events_are_shown_and_nobody_elses() {
    shop("told", json!({}));
    let uid = kubectl(&SHARED.plane, &["get", "deployment", "shop", "-n", "told", "-o", "jsonpath={.metadata.uid}"]);
    for (name, component) in [("ours", "epiphyte-operator"), ("theirs", "somebody")] {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": "told" },
            "involvedObject": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "namespace": "told", "uid": uid },
            "reason": name, "message": "something happened", "type": "Warning",
            "source": { "component": component }, "lastTimestamp": "2026-01-02T03:04:05Z",
        });
        apply(&SHARED.plane, &event.to_string());
    }
    let told = explain("deploy/shop", "told");
    let reasons: Vec<_> = told["events"].as_array().expect("a list").iter().map(|event| &event["reason"]).collect();
    assert_eq!(reasons, ["ours"]);
    assert!(text(&["explain", "deploy/shop", "-n", "told"]).contains("2026-01-02T03:04:05Z  ours: something happened"));
}

#[test]
fn status_shows_unmarked_workloads_only_when_asked() {
    shop("unmarked", json!({}));
    let page = text(&["status", "-n", "unmarked"]);
    assert!(page.contains("No workload is marked or instrumented"), "{page}");
    let page = text(&["status", "-n", "unmarked", "--all"]);
    assert!(page.contains("NotMarked"), "{page}");
}

#[test]
fn a_controlled_workload_names_its_owner() {
    shop("owned", json!({ "odigos.io/instrument": "true" }));
    let list = ["get", "replicasets", "-n", "owned", "-o", "jsonpath={.items[*].metadata.name}"];
    let deadline = Instant::now() + Duration::from_secs(60);
    let name = loop {
        let name = kubectl(&SHARED.plane, &list);
        if !name.is_empty() {
            break name;
        }
        assert!(Instant::now() < deadline, "no ReplicaSet in time");
    };
    let told = explain(&format!("rs/{name}"), "owned");
    assert_eq!(told["owner"], "Deployment/shop");
    assert_eq!(told["containers"][0]["reason"], "OwnedByController");
    assert_eq!(told["due"], json!({ "surgery": false, "details": "nothing" }));
}

#[test]
fn a_workload_that_is_not_there_is_told() {
    let output = run(&SHARED.plane.kubeconfig(), &["explain", "sts/nobody", "-n", "default"]);
    assert!(error(&output).contains("there is no StatefulSet nobody in namespace default"));
}

#[test]
fn missing_definitions_are_noted_and_stop_nothing() {
    for output in &SHARED.before {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let notes = told["notes"].to_string();
        for resource in ["sources.odigos.io", "lumigoes.operator.lumigo.io", "collectorsgroups.odigos.io"] {
            assert!(notes.contains(&format!("does not know {resource}")), "{notes}");
        }
    }
    let told: Value = serde_json::from_slice(&SHARED.before[0].stdout).expect("JSON");
    assert_eq!(told["containers"][0]["reason"], "CollectorsMissing");
}

#[test]
fn missing_rights_are_noted_with_verb_and_resource() {
    shop("private", json!({ "odigos.io/instrument": "true" }));
    let plane = &SHARED.plane;
    let role = [
        "create",
        "role",
        "reader",
        "-n",
        "private",
        "--verb=get,list",
        "--resource=deployments.apps,sources.odigos.io",
    ];
    kubectl(plane, &role);
    kubectl(plane, &["create", "rolebinding", "reader", "-n", "private", "--role=reader", "--user=reader"]);
    let reader = plane.user("reader", &[]).expect("a kubeconfig");
    let output = run(&reader, &["explain", "deploy/shop", "-n", "private", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let notes = told["notes"].to_string();
    for missing in
        ["list nodes in the cluster", "list lumigoes.operator.lumigo.io in namespace private", "get namespaces"]
    {
        assert!(notes.contains(&format!("not allowed to {missing}")), "{notes}");
    }
    assert!(!notes.contains("sources"), "{notes}");
    let output = run(&reader, &["explain", "sts/shop", "-n", "private"]);
    assert!(error(&output).contains("not allowed to get statefulsets.apps in namespace private"));
}

#[test]
fn an_unreadable_kubeconfig_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config");
    let missing = error(&run(&file, &["status"]));
    assert!(missing.contains(file.to_str().expect("text")) && missing.contains("set KUBECONFIG"), "{missing}");
    std::fs::write(&file, "clusters: [").expect("write the kubeconfig");
    let broken = error(&run(&file, &["explain", "deploy/shop"]));
    assert!(broken.contains(file.to_str().expect("text")) && broken.contains("correct it"), "{broken}");
    std::fs::write(&file, "apiVersion: v1\nkind: Config\n").expect("write the kubeconfig");
    assert!(error(&run(&file, &["status"])).contains("current context"));
}

#[test]
fn an_api_server_that_is_gone_is_named_soon() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gone",
        "contexts": [{ "name": "gone", "context": { "cluster": "gone", "user": "me" } }],
        "clusters": [{ "name": "gone", "cluster": { "server": format!("https://127.0.0.1:{port}") } }],
        "users": [{ "name": "me", "user": {} }],
    });
    std::fs::write(&file, kubeconfig.to_string()).expect("write the kubeconfig");
    let start = Instant::now();
    let told = error(&run(&file, &["status"]));
    assert!(told.contains(&format!("cannot reach the API server at https://127.0.0.1:{port}")), "{told}");
    assert!(told.contains("refused"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(10));
}
