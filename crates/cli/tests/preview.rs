//! `epiphyte preview` as a person runs it: the program itself, without a kubeconfig and without a home.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const READY: &str = "
apiVersion: odigos.io/v1alpha1
kind: CollectorsGroup
metadata: {name: gateway, namespace: odigos-system}
spec: {role: CLUSTER_GATEWAY}
status: {ready: true}
";

fn deployment(name: &str, metadata: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  {metadata}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
      - name: app
        image: shop:1
"
    )
}

fn marked(name: &str) -> String {
    deployment(name, r#"annotations: {odigos.io/instrument: "true"}"#)
}

/// Runs a preview of standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut preview = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .arg("preview")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run epiphyte");
    preview.stdin.take().expect("piped").write_all(input.as_bytes()).expect("write the manifests");
    preview.wait_with_output().expect("wait for epiphyte")
}

/// The JSON of a preview of standard input, and whether it succeeded.
fn preview(arguments: &[&str], input: &str) -> (Value, bool) {
    let output = run(&[&["-f", "-", "-o", "json"], arguments].concat(), input);
    let error = String::from_utf8_lossy(&output.stderr);
    (serde_json::from_slice(&output.stdout).expect(&error), output.status.success())
}

fn text(arguments: &[&str], input: &str) -> String {
    let output = run(&[&["-f", "-"], arguments].concat(), input);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).expect("text")
}

/// Name, verdict and the reason of the first container of each workload.
fn verdicts(preview: &Value) -> Vec<[&str; 3]> {
    let workloads = preview["workloads"].as_array().expect("a list");
    workloads
        .iter()
        .map(|it| {
            ["/name", "/verdict", "/containers/0/reason"]
                .map(|at| it.pointer(at).and_then(Value::as_str).expect("text"))
        })
        .collect()
}

fn stream(documents: &[&str]) -> String {
    documents.join("\n---\n")
}

#[test]
fn a_marked_deployment_with_assumed_details_shows_the_exact_change() {
    let arguments = ["--assume", "app=java", "--assume-collectors-ready"];
    let (shown, fine) = preview(&arguments, &marked("shop"));
    assert!(fine);
    assert_eq!(verdicts(&shown), [["shop", "on", "Instrumented"]]);
    let device = json!({ "limits": { "instrumentation.odigos.io/java-native-community": "1" } });
    assert_eq!(
        shown["workloads"][0]["patch"],
        json!([{ "op": "add", "path": "/spec/template/spec/containers/0/resources", "value": device }])
    );

    let page = text(&arguments, &marked("shop"));
    assert!(page.contains("Deployment default/shop  (stdin:1)\n  verdict: on, by device\n"), "{page}");
    assert!(page.contains("    +            instrumentation.odigos.io/java-native-community: '1'\n"), "{page}");
    assert!(page.ends_with("1 workload: 1 on, 0 off, 0 keep\n"), "{page}");
    assert!(!page.contains('\u{1b}'), "colours in a pipe: {page:?}");
}

#[test]
fn each_of_the_three_conditions_is_asked_for() {
    let (shown, _) = preview(&[], &stream(&[&deployment("a", ""), READY]));
    assert_eq!(verdicts(&shown), [["a", "off", "NotMarked"]]);
    let (shown, _) = preview(&[], &stream(&[&marked("a"), READY]));
    assert_eq!(verdicts(&shown), [["a", "keep", "WaitingForDetection"]]);
    let (shown, _) = preview(&["--assume", "a=java"], &marked("a"));
    assert_eq!(verdicts(&shown), [["a", "off", "CollectorsMissing"]]);
    let unready = READY.replace("ready: true", "ready: false");
    let (shown, _) = preview(&["--assume", "a=java"], &stream(&[&marked("a"), &unready]));
    assert_eq!(verdicts(&shown), [["a", "off", "CollectorsNotReady"]]);
    let elsewhere = READY.replace("odigos-system", "shop");
    let (shown, _) = preview(&["--assume", "a=java"], &stream(&[&marked("a"), &elsewhere]));
    assert_eq!(verdicts(&shown), [["a", "off", "CollectorsMissing"]]);
}

#[test]
fn a_syntax_error_is_named_by_file_document_and_line_and_the_others_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pile.yaml");
    // The third document begins on line 5 and breaks on line 7.
    let text = format!("a: 1\n---\nb: 2\n---\nkind: Broken\nspec:\n  x: [1, 2\n  y: 3\n---{}", marked("after"));
    std::fs::write(&file, text).expect("write the file");
    let output = run(&["-f", file.to_str().expect("text"), "-o", "json"], "");
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdicts(&shown), [["after", "off", "CollectorsMissing"]]);
    let broken = &shown["unread"][2];
    assert_eq!((&broken["file"], &broken["document"]), (&json!(file), &json!(3)));
    assert!((7..=8).contains(&broken["line"].as_u64().expect("a line")), "{broken}");
    assert_eq!(shown["summary"], json!({ "workloads": 1, "on": 0, "off": 1, "keep": 0, "unread": 3 }));

    let output = run(&["-f", file.to_str().expect("text")], "");
    let page = String::from_utf8(output.stdout).expect("text");
    assert!(page.contains(&format!("cannot read {}: document 3, line ", file.display())), "{page}");
    assert!(page.ends_with("1 workload: 0 on, 1 off, 0 keep; 3 documents could not be read\n"), "{page}");
}

#[test]
fn a_file_that_is_not_there_does_not_stop_the_others() {
    let output = run(&["-f", "/nowhere/shop.yaml", "-f", "-", "-o", "json"], &marked("shop"));
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdicts(&shown).len(), 1);
    assert_eq!(shown["unread"][0]["file"], "/nowhere/shop.yaml");
}

#[test]
fn wrong_usage_is_told_apart() {
    for arguments in [&[][..], &["-f", "-", "--assume", "app"], &["-f", "-", "--assume", "app=cobol"]] {
        assert_eq!(run(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_wrong_settings_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "ignoredNamespace: [shop]\n").expect("write the settings");
    let output = run(&["-f", "-", "--config", settings.to_str().expect("text")], "");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("ignoredNamespace") && error.contains("settings.yaml"), "{error}");
}

#[test]
fn settings_are_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "ignoredNamespaces: [shop]\n").expect("write the settings");
    let (shown, _) = preview(&["-n", "shop", "--config", settings.to_str().expect("text")], &marked("a"));
    assert_eq!(verdicts(&shown), [["a", "off", "IgnoredNamespace"]]);
}

#[test]
fn lists_are_taken_apart() {
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "annotations": { "odigos.io/instrument": "true" } } },
            { "apiVersion": "apps/v1", "kind": "DeploymentList", "items": [
                { "metadata": { "name": "cart", "namespace": "shop" }, "spec": { "template": { "spec": { "containers": [{ "name": "app" }] } } } },
            ] },
        ],
    });
    let (shown, fine) = preview(&["--assume", "cart/app=go", "--assume-collectors-ready"], &list.to_string());
    assert!(fine, "{shown}");
    assert_eq!(verdicts(&shown), [["cart", "on", "Instrumented"]]);
    assert_eq!(shown["workloads"][0]["trace"][0]["reason"], "MarkedByNamespaceAnnotation");
    assert_eq!(shown["workloads"][0]["item"], 1);
}

#[test]
fn helm_output_is_read_with_its_comments_and_empty_documents() {
    let helm = format!(
        "---\n# Source: shop/templates/empty.yaml\n---\n# Source: shop/templates/shop.yaml\n{}\n---\n# Source: shop/templates/off.yaml\n",
        marked("shop")
    );
    let (shown, fine) = preview(&["-n", "release"], &helm);
    assert!(fine);
    assert_eq!(shown["workloads"][0]["namespace"], "release");
    assert_eq!(shown["workloads"][0]["document"], 2);
    assert_eq!(shown["unread"], json!([]));
}

#[test]
fn a_directory_is_read_whole_and_in_the_order_of_its_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("make the folder");
        std::fs::write(path, text).expect("write the file");
    };
    write("b.yml", &marked("second"));
    write("a/deep/x.yaml", &marked("first"));
    write("c.json", r#"{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "third-"}}"#);
    write("README.md", "no manifest: [");
    let output = run(&["-f", folder.path().to_str().expect("text"), "-o", "json"], "");
    assert_eq!(output.status.code(), Some(0));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<_> = shown["workloads"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["first", "second", "third-"]);
}

#[test]
fn marks_of_all_sorts_are_heard_and_the_most_specific_wins() {
    let source = |name: &str, kind: &str, target: &str| {
        format!(
            "apiVersion: odigos.io/v1alpha1\nkind: Source\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{workload: {{kind: {kind}, name: {target}, namespace: shop}}}}\n"
        )
    };
    let lumigo = "apiVersion: operator.lumigo.io/v1\nkind: Lumigo\nmetadata: {name: lumigo, namespace: traced}\n\
                  spec: {lumigoToken: {secretRef: {name: s, key: k}}}\n";
    let invalid = deployment("invalid", r#"annotations: {odigos.io/instrument: "yes"}"#);
    let labelled_off = deployment("labelled", "labels: {lumigo.auto-trace: \"False\"}\n  namespace: traced");
    let traced = deployment("traced", "namespace: traced");
    let pile = stream(&[
        READY,
        &invalid,
        &deployment("sourced", ""),
        &source("one", "Deployment", "sourced"),
        &source("two", "Deployment", "sourced"),
        &source("lost", "Deployment", "nowhere"),
        &source("odd", "Pod", "sourced"),
        lumigo,
        &labelled_off,
        &traced,
    ]);
    let (shown, fine) = preview(&["-n", "shop", "--assume", "app=python"], &pile);
    assert!(fine, "{shown}");
    assert_eq!(
        verdicts(&shown),
        [
            ["invalid", "off", "InvalidMark"],
            ["sourced", "on", "Instrumented"],
            ["labelled", "off", "OptedOutByLabel"],
            ["traced", "on", "Instrumented"],
        ]
    );
    assert_eq!(shown["workloads"][3]["delivery"], "injector");
    let sources: Vec<_> =
        shown["sources"].as_array().expect("a list").iter().map(|it| (&it["name"], &it["reason"])).collect();
    let expected = [("lost", "SourceTargetMissing"), ("odd", "SourceKindUnknown"), ("two", "DuplicateSource")];
    assert_eq!(sources, expected.map(|(name, reason)| (json!(name), json!(reason))).each_ref().map(|(a, b)| (a, b)));
    let notes = shown["notes"].to_string();
    assert!(notes.contains("the Lumigo traced/lumigo is active"), "{notes}");
    assert!(notes.contains("nodes offer the devices"), "{notes}");
}

#[test]
fn of_two_lumigoes_in_a_namespace_one_counts_and_the_other_is_told() {
    let lumigo = |name: &str, created: &str, secret: &str| {
        format!(
            "apiVersion: operator.lumigo.io/v1\nkind: Lumigo\nmetadata: {{name: {name}{created}}}\n\
             spec: {{lumigoToken: {{secretRef: {{name: {secret}, key: k}}}}}}\n"
        )
    };
    let of = |first: &str, second: &str| {
        let (shown, fine) = preview(&[], &stream(&[first, second, &deployment("shop", "")]));
        assert!(fine, "{shown}");
        let notes = shown["notes"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let notes = notes.filter(|note| note.contains("Lumigo")).map(str::to_owned).collect::<Vec<_>>();
        let secret = shown["workloads"][0]["patch"].to_string();
        (notes, ["one", "two"].into_iter().find(|name| secret.contains(&format!(r#""name":"{name}""#))))
    };
    let (notes, secret) = of(&lumigo("b", "", "one"), &lumigo("a", "", "two"));
    assert_eq!(secret, Some("two"));
    assert!(notes[0].starts_with("the Lumigo default/b counts for nothing: "), "{notes:?}");
    assert_eq!(notes[1], "assumed that the Lumigo default/a is active: it has no status");
    let at = |hour: u8| format!(", creationTimestamp: \"2026-01-02T0{hour}:00:00Z\"");
    let (notes, secret) = of(&lumigo("b", &at(1), "one"), &lumigo("a", &at(2), "two"));
    assert_eq!(secret, Some("one"));
    assert!(notes[1].starts_with("the Lumigo default/a counts for nothing: "), "{notes:?}");
}

#[test]
fn a_hand_made_application_with_oddities_says_each_of_them() {
    let details = "apiVersion: odigos.io/v1alpha1\nkind: InstrumentedApplication\nmetadata: {name: deployment-shop}\n\
                   spec: {languages: [{containerName: app, language: java}, {containerName: app, language: cobol}, {containerName: ghost, language: go}]}\n";
    let (shown, fine) = preview(&[], &stream(&[&marked("shop"), READY, details]));
    assert!(fine, "{shown}");
    assert_eq!(verdicts(&shown), [["shop", "on", "Instrumented"]]);
    assert_eq!(shown["workloads"][0]["containers"][0]["trace"][0]["reason"], "DuplicateDetails");
    let trace = shown["workloads"][0]["trace"].to_string();
    assert!(trace.contains("UnknownContainer") && trace.contains("ghost"), "{trace}");
}

#[test]
fn a_node_among_the_files_makes_the_offer_count() {
    let node = |devices: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: n}}\nspec: {{}}\n\
             status: {{allocatable: {{{devices}}}, conditions: [{{type: Ready, status: \"True\"}}]}}\n"
        )
    };
    let arguments = ["--assume", "app=java", "--assume-collectors-ready"];
    let (shown, _) = preview(&arguments, &stream(&[&marked("shop"), &node("")]));
    assert_eq!(verdicts(&shown), [["shop", "keep", "NoNodeOffersDevice"]]);
    let offering = node(r#"instrumentation.odigos.io/java-native-community: "10""#);
    let (shown, _) = preview(&arguments, &stream(&[&marked("shop"), &offering]));
    assert_eq!(verdicts(&shown), [["shop", "on", "Instrumented"]]);
}

#[test]
fn an_assumption_about_nothing_is_told() {
    let (shown, _) = preview(&["--assume", "nobody=java"], &marked("shop"));
    assert!(shown["notes"].to_string().contains("--assume nobody=java"), "{shown}");
}

#[test]
fn a_name_of_253_characters_is_a_name() {
    let name = "n".repeat(253);
    let (shown, fine) = preview(&["--assume", "app=java", "--assume-collectors-ready"], &marked(&name));
    assert!(fine);
    assert_eq!(verdicts(&shown), [[name.as_str(), "on", "Instrumented"]]);
}

#[test]
fn an_object_of_an_impossible_shape_is_told_and_the_others_are_shown() {
    let bare = marked("bare").replace(r#""true""#, "true");
    let (shown, fine) = preview(&[], &stream(&[&bare, &marked("shop")]));
    assert!(!fine);
    assert_eq!(verdicts(&shown).len(), 1);
    assert!(shown["unread"][0]["message"].as_str().expect("text").contains("boolean"), "{shown}");
}

#[test]
fn a_controlled_workload_names_its_owner() {
    let owner = "ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: boss, uid: u, controller: true}]";
    let page = text(&[], &deployment("owned", owner));
    assert!(page.contains("owned by Deployment/boss"), "{page}");
    assert!(page.contains("OwnedByController"), "{page}");
}

#[test]
fn what_is_instrumented_and_no_longer_marked_is_restored() {
    let (on, _) = preview(&["--assume", "app=java", "--assume-collectors-ready"], &marked("shop"));
    assert_eq!(on["summary"]["on"], 1);
    let bare =
        deployment("shop", "") + "        resources: {limits: {instrumentation.odigos.io/java-native-community: 1}}\n";
    let (shown, _) = preview(&[], &bare);
    assert_eq!(verdicts(&shown), [["shop", "off", "NotMarked"]]);
    assert_eq!(shown["workloads"][0]["patch"][0]["op"], "remove");
}

#[test]
fn called_as_a_plugin_the_help_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("kubectl-epiphyte");
    std::os::unix::fs::symlink(Path::new(env!("CARGO_BIN_EXE_epiphyte")), &plugin).expect("link the plugin");
    let output = Command::new(plugin).args(["preview", "--help"]).env_clear().output().expect("run the plugin");
    let help = String::from_utf8(output.stdout).expect("text");
    assert!(help.contains("Usage: kubectl epiphyte preview"), "{help}");
}
