//! Which values there are, and that no other is taken for one.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Map, Value, json};

use crate::bench::*;

/// Values with keys of the user's own choice.
const FREE: [&str; 8] =
    ["global", "podAnnotations", "labels", "nodeSelector.", "requests", "limits", "traffic", "events"];

fn is_free(path: &str) -> bool {
    FREE.iter().any(|free| path.ends_with(free) || (free.ends_with('.') && path.starts_with(free)))
}

fn defaults() -> Value {
    let text = fs::read_to_string(repository().join("charts/epiphyte/values.yaml")).expect("values");
    yaml_serde::from_str(&text).expect("YAML")
}

/// The sections of values: mappings whose keys are known.
fn sections(values: &Value, path: &str, found: &mut Vec<String>) {
    if is_free(path) {
        return;
    }
    if let Some(section) = values.as_object() {
        found.push(path.to_owned());
        for (key, value) in section {
            sections(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, found);
        }
    }
}

/// The keys below a schema, those of the user's own choice left out.
fn keys(schema: &Value, root: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => schema,
    };
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        found.insert(path.clone());
        keys(below, root, &path, found);
    }
}

#[test]
fn a_key_that_is_none_is_refused_by_its_name_in_every_section() {
    let mut all = Vec::new();
    sections(&defaults(), "", &mut all);
    let settings = ["collectors", "scheduler", "device", "injector", "webhook", "leaderElection"];
    all.extend(settings.iter().map(|it| format!("operator.settings.{it}")));
    assert!(all.len() > 35, "{all:?}");
    let mut values = json!({});
    for section in &all {
        let mut at = &mut values;
        for key in section.split('.').filter(|key| !key.is_empty()) {
            at = at.as_object_mut().expect("a mapping").entry(key).or_insert_with(|| Value::Object(Map::new()));
        }
        at["typo"] = json!(1);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("values.json");
    fs::write(&file, values.to_string()).expect("values are written");
    let refused = render(&["--values", &file.display().to_string()]).expect_err("they are refused");
    for section in &all {
        let at = if section.is_empty() { String::new() } else { format!("/{}", section.replace('.', "/")) };
        let line = format!("at '{at}': additional properties 'typo' not allowed");
        assert!(refused.contains(&line), "{line} is not in\n{refused}");
    }
}

#[test]
fn the_schema_knows_every_value_and_has_a_default_for_each() {
    let text = fs::read_to_string(repository().join("charts/epiphyte/values.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut known = BTreeSet::new();
    keys(&schema, &schema, "", &mut known);
    known.remove("global");
    let defaults = defaults();
    let has_default = |path: &String| {
        let pointer = format!("/{}", path.replace('.', "/"));
        // Resources, settings and what is merged into configurations are as their owners have them.
        let of_others = ["resources.", "settings.", "extra."].iter().any(|part| path.contains(part));
        of_others || defaults.pointer(&pointer).is_some()
    };
    let without: Vec<&String> = known.iter().filter(|path| !has_default(path)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn a_value_of_another_kind_is_refused_with_its_place() {
    for (set, place) in [
        ("operator.replicas=0", "/operator/replicas"),
        ("operator.replicas=two", "/operator/replicas"),
        ("endpoint.otlp.url=otlp.example", "/endpoint/otlp/url"),
        ("endpoint.otlp.url=https://user:word@otlp.example", "/endpoint/otlp/url"),
        ("images.operator.digest=sha256:12", "/images/operator/digest"),
        ("images.pullPolicy=Sometimes", "/images/pullPolicy"),
        ("nodeAgent.namespace.name=Node_Agent", "/nodeAgent/namespace/name"),
        ("updater.digests={12}", "/updater/digests/0"),
        ("telemetryProxy.tokenless.authorization.secretName=it", "/telemetryProxy/tokenless/authorization"),
    ] {
        let refused = render(&["--set", set]).expect_err(set);
        assert!(refused.contains(place), "{set}: {refused}");
    }
    let refused = render(&["--set", "updater.enabled=true"]).expect_err("there is no chart to find");
    assert!(refused.contains("updater.enabled needs updater.chart"), "{refused}");
}

#[test]
fn values_of_the_lumigo_operators_chart_mean_the_same() {
    let objects = objects(&render(&["--values", &values(LUMIGO)]).expect("they are accepted"));
    let proxy = object(&objects, "ConfigMap", "epiphyte-telemetry-proxy")["data"]["settings.yaml"].as_str();
    let settings: Value = yaml_serde::from_str(proxy.expect("settings")).expect("YAML");
    let urls = json!({ "url": "https://otlp.example", "logs_url": "https://logs.example", "metrics_url": "https://metrics.example" });
    assert_eq!(settings, json!({ "cluster": { "name": "production" }, "endpoint": { "otlp": urls } }));
    // What a component has stands in the place of what all have.
    let operator = &object(&objects, "Deployment", "epiphyte-operator")["spec"]["template"]["spec"];
    assert_eq!(operator["tolerations"][0]["key"], "system");
    assert_eq!(operator["nodeSelector"], json!({ "kubernetes.io/os": "linux", "pool": "system" }));
    let updater = &object(&objects, "CronJob", "epiphyte-updater")["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(updater["tolerations"][0]["key"], "dedicated");
    assert_eq!(updater["nodeSelector"], json!({ "kubernetes.io/os": "linux", "pool": "general" }));
    let agent = &object(&objects, "DaemonSet", "epiphyte-node-agent")["spec"]["template"]["spec"];
    assert_eq!(agent["tolerations"], json!([{ "operator": "Exists" }]), "it is where workloads may be");
}
