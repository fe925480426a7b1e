//! What the chart renders, without a cluster.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::bench::*;

fn variants() -> [Vec<String>; 3] {
    let with = |file| vec!["--values".to_owned(), values(file)];
    [Vec::new(), with(ALL), with(LUMIGO)]
}

fn render_variant(variant: &[String]) -> String {
    render(&variant.iter().map(String::as_str).collect::<Vec<_>>()).expect("it is rendered")
}

#[test]
fn helm_finds_nothing_to_say_about_it() {
    for variant in variants() {
        let mut lint = helm(&["lint", "--strict", &chart(), "--kube-version", "1.34.0"]);
        lint.args(&variant);
        let page = said(lint).unwrap_or_else(|error| panic!("{variant:?}: {error}"));
        assert!(page.contains("0 chart(s) failed") && !page.contains("[WARNING]"), "{page}");
    }
}

#[test]
fn the_same_values_give_the_same_bytes() {
    for variant in variants() {
        assert_eq!(render_variant(&variant), render_variant(&variant));
    }
    let templates = repository().join("charts/epiphyte/templates");
    let mut folders = vec![templates];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a template");
            for other in ["lookup", "genCA", "genSelfSigned", "genPrivateKey", "rand", "now", "uuidv4", "Revision"] {
                let calls = |word: &str| word.split(|c: char| !c.is_alphanumeric()).any(|word| word == other);
                let actions = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
                assert!(!actions.into_iter().any(calls), "{} has {other}", path.display());
            }
        }
    }
}

#[test]
fn what_is_rendered_as_settings_is_what_the_programs_read() {
    let objects = objects(&render_variant(&variants()[1]));
    let settings = |name| object(&objects, "ConfigMap", name)["data"]["settings.yaml"].as_str().expect("settings");
    let operator = epiphyte_operator::settings::Settings::from_yaml(settings("epiphyte-operator")).expect("settings");
    let ignored: Vec<&str> = operator.ignored_namespaces.iter().map(String::as_str).collect();
    assert_eq!(ignored, [NODE, "sandbox"]);
    assert_eq!(operator.injector.image, "registry.example:5000/mirror/epiphyte/agents:v9");
    assert_eq!(operator.injector.endpoint, "http://elsewhere.example/v1/traces");
    let proxy = settings("epiphyte-telemetry-proxy");
    let proxy = epiphyte_telemetry_proxy::settings::Settings::from_yaml(proxy).expect("settings");
    assert_eq!(proxy.queue.size_mib, 64);
    let file = proxy.tokenless.and_then(|it| it.authorization_file).expect("a file");
    let (_, pod) =
        pods(&objects).into_iter().find(|(it, _)| it["metadata"]["name"] == "epiphyte-operator").expect("the operator");
    let mounts = pod["containers"][1]["volumeMounts"].as_array().expect("mounts");
    assert!(mounts.iter().any(|it| file.starts_with(it["mountPath"].as_str().expect("a path"))), "{mounts:?}");
}

#[test]
fn an_image_has_its_digest_its_tag_the_common_tag_or_the_charts_version() {
    let images = |arguments: &[&str]| -> BTreeSet<String> {
        let objects = objects(&render(arguments).expect("it is rendered"));
        let containers = pods(&objects).into_iter().flat_map(|(_, pod)| pod["containers"].as_array().expect("some"));
        containers.map(|it| it["image"].as_str().expect("an image").to_owned()).collect()
    };
    let version = env!("CARGO_PKG_VERSION");
    let chart = said(helm(&["show", "chart", &chart()])).expect("it is shown");
    assert!(chart.contains(&format!("\nversion: {version}")), "{chart}");
    let of_version = |name: &str| format!("epiphyte/{name}:{version}");
    assert_eq!(images(&[]), ["operator", "telemetry-proxy", "node-agent", "updater"].map(of_version).into());
    let digest = "0123456789abcdef".repeat(4);
    assert_eq!(
        images(&["--values", &values(ALL), "--set", "images.tag=v2"]),
        [
            format!("registry.example:5000/mirror/epiphyte/operator@sha256:{digest}"),
            "registry.example:5000/mirror/epiphyte/telemetry-proxy:v2".to_owned(),
            "registry.example:5000/mirror/epiphyte/node-agent:v2".to_owned(),
            "registry.example:5000/mirror/epiphyte/updater:v2".to_owned(),
        ]
        .into()
    );
}

#[test]
fn a_single_replica_may_be_evicted() {
    let objects = objects(&render(&["--set", "operator.replicas=1"]).expect("it is rendered"));
    assert!(objects.iter().all(|object| object["kind"] != "PodDisruptionBudget"));
}

#[test]
fn the_node_agent_can_be_in_the_releases_own_namespace() {
    let objects = objects(&render(&["--set", "nodeAgent.namespace.name=epiphyte-system"]).expect("it is rendered"));
    assert!(objects.iter().all(|object| object["kind"] != "Namespace"));
    let webhook = object(&objects, "MutatingWebhookConfiguration", "epiphyte");
    let left_alone = &webhook["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(*left_alone, serde_json::json!(["kube-system", "kube-public", "kube-node-lease", SYSTEM]));
}

#[test]
fn a_suspended_updater_has_no_rights() {
    let named = |arguments: &[&str]| -> Vec<Value> {
        let objects = objects(&render(arguments).expect("it is rendered"));
        objects.into_iter().filter(|it| it["metadata"]["name"] == "epiphyte-updater").collect()
    };
    let kinds = |objects: &[Value]| -> BTreeSet<String> {
        objects.iter().map(|it| it["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    let off = named(&[]);
    assert_eq!(kinds(&off), ["CronJob", "ServiceAccount"].map(str::to_owned).into());
    assert_eq!(object(&off, "CronJob", "epiphyte-updater")["spec"]["suspend"], true);
    let on = named(&["--set", "updater.enabled=true,updater.chart=oci://registry.example/epiphyte"]);
    assert_eq!(object(&on, "CronJob", "epiphyte-updater")["spec"]["suspend"], false);
    assert!(kinds(&on).contains("ClusterRole"));
    assert!(named(&["--set", "updater.install=false"]).is_empty());
}

#[test]
fn definitions_are_a_part_of_the_release_and_kept_only_where_that_is_asked_for() {
    let crds = |arguments: &[&str]| -> Vec<Value> {
        let objects = objects(&render(arguments).expect("it is rendered"));
        objects.into_iter().filter(|it| it["kind"] == "CustomResourceDefinition").collect()
    };
    let text = fs::read_to_string(repository().join("deploy/crds.yaml")).expect("the definitions");
    let by_name = |objects: Vec<Value>| -> BTreeSet<String> { objects.iter().map(Value::to_string).collect() };
    assert_eq!(by_name(crds(&[])), by_name(objects(&text)));
    let kept = crds(&["--set", "crds.keep=true"]);
    assert!(kept.iter().all(|it| it["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"));
    assert!(crds(&["--set", "crds.install=false"]).is_empty());
    // Uninstalling leaves alone what the release does not have.
    for (set, keeps) in [("crds.keep=false", false), ("crds.keep=true", true), ("crds.install=false", true)] {
        let objects = objects(&render(&["--set", set]).expect("it is rendered"));
        let job = object(&objects, "Job", "epiphyte-uninstall");
        let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
        assert_eq!(arguments.iter().any(|it| it == "--keep-crds"), keeps, "{set}");
    }
}

#[test]
fn what_alerts_and_dashboard_ask_for_is_counted_by_somebody() {
    let sources: String = ["operator/src", "node-agent/src", "telemetry-proxy/src", "daemon/src"]
        .iter()
        .map(|folder| text_of(&repository().join("crates").join(folder)))
        .chain([text_of(&repository().join("collector/tokens"))])
        .collect();
    let chart = ["charts/epiphyte/templates/monitoring/alerts.yaml", "charts/epiphyte/dashboards/epiphyte.json"];
    let asked: BTreeSet<String> = chart
        .iter()
        .map(|file| fs::read_to_string(repository().join(file)).expect("a file"))
        .flat_map(|text| {
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned);
            words.filter(|word| word.starts_with("epiphyte_")).collect::<Vec<_>>()
        })
        .collect();
    assert!(asked.len() > 12, "{asked:?}");
    for name in asked {
        let bare = ["_bucket", "_total", "_seconds"].iter().fold(name.as_str(), |name, end| name.trim_end_matches(end));
        let known = ["epiphyte_node_", "epiphyte_proxy_", "epiphyte_", ""]
            .iter()
            .any(|prefix| bare.strip_prefix(prefix).is_some_and(|rest| sources.contains(&format!("\"{rest}\""))));
        assert!(known, "nobody counts {name}");
    }
}

/// The text of all source files in a folder.
fn text_of(folder: &std::path::Path) -> String {
    let entries = folder.read_dir().expect("a folder").flatten();
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() { text_of(&path) } else { fs::read_to_string(&path).unwrap_or_default() }
        })
        .collect()
}
