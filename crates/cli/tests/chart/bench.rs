//! Helm, as tests call it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use epiphyte_testbed::{ControlPlane, FakeNode, programs};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::support::Cluster;

/// The release's namespace.
pub const SYSTEM: &str = "epiphyte-system";
/// The node agent's.
pub const NODE: &str = "epiphyte-node";
/// Everything turned on that can be.
pub const ALL: &str = "all-values.yaml";
/// What people have who come from the Lumigo operator's chart.
pub const LUMIGO: &str = "lumigo-values.yaml";

static HELM: LazyLock<PathBuf> = LazyLock::new(|| programs::helm().expect("helm"));

/// Helm, with nothing of whoever runs the test.
pub fn helm(arguments: &[&str]) -> Command {
    static HOME: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
    let mut command = Command::new(&*HELM);
    command.args(arguments).env_clear().env("HOME", HOME.path()).stdin(Stdio::null());
    command
}

/// What a command printed, or what it complained of.
pub fn said(mut command: Command) -> Result<String, String> {
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(output.stdout), text(output.stderr));
    if output.status.success() { Ok(out) } else { Err(format!("{out}{err}")) }
}

/// The chart's folder.
pub fn chart() -> String {
    repository().join("charts/epiphyte").display().to_string()
}

/// A file of values beside these tests.
pub fn values(file: &str) -> String {
    repository().join("crates/cli/tests/chart").join(file).display().to_string()
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Renders the chart, hooks and all; or what is wrong with the values.
pub fn render(arguments: &[&str]) -> Result<String, String> {
    let chart = chart();
    let fixed = ["template", "epiphyte", &chart, "--namespace", SYSTEM, "--kube-version", "1.34.0"];
    said(helm(&[&fixed[..], arguments].concat()))
}

/// The objects of a rendering.
pub fn objects(rendered: &str) -> Vec<Value> {
    let documents = yaml_serde::Deserializer::from_str(rendered).map(|it| Value::deserialize(it).expect("YAML"));
    documents.filter(|it| !it.is_null()).collect()
}

/// The object of a kind and name.
pub fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{kind} {name} is not rendered"))
}

/// The pod templates among objects, each with the namespace of its object.
pub fn pods(objects: &[Value]) -> Vec<(&Value, &Value)> {
    let template = |object| {
        let pointers = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
        pointers.iter().find_map(|pointer| Value::pointer(object, pointer))
    };
    objects.iter().filter_map(|it| Some((it, template(it)?))).collect()
}

/// Installs, or changes, a release in a cluster as an administrator does; or what Helm complained of.
pub fn on(cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
    on_as(&cluster.plane.kubeconfig(), arguments)
}

/// The same as somebody else.
pub fn on_as(kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = helm(arguments);
    command.env("KUBECONFIG", kubeconfig);
    said(command)
}

/// A cluster that enforces restricted Pod Security in the release's namespace and tells of every template that would not pass,
/// with a node that runs nothing, and the kinds of the Prometheus operator.
pub async fn cluster() -> Cluster {
    let plane = ControlPlane::start().await.expect("a control plane");
    let cluster = Cluster { client: plane.client(), plane };
    cluster.plane.create_node(&FakeNode::new("node-1")).await.expect("a node");
    let level = |mode: &str| (format!("pod-security.kubernetes.io/{mode}"), json!("restricted"));
    let labels: Map<String, Value> = ["enforce", "warn"].map(level).into_iter().collect();
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": SYSTEM, "labels": labels } });
    cluster.apply(&namespace).await;
    for (kind, plural) in [("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules")] {
        cluster.kubectl_with(&["apply", "-f", "-"], &definition(kind, plural));
    }
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    cluster
}

/// A definition of a kind of others, which takes anything.
fn definition(kind: &str, plural: &str) -> Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.monitoring.coreos.com") },
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    })
}

/// Our program as an administrator has it.
pub fn program(cluster: &Cluster) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command.env("KUBECONFIG", cluster.plane.kubeconfig());
    command
}

/// The exit status of `epiphyte audit`, and what it found.
pub fn audit(cluster: &Cluster) -> (Option<i32>, Value) {
    let output =
        program(cluster).args(["audit", "--system-namespace", SYSTEM, "-o", "json"]).output().expect("it runs");
    let found = serde_json::from_slice(&output.stdout);
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), found)
}

/// What the audit found that is to go.
pub fn leftovers(audit: &Value) -> Vec<String> {
    let findings = audit["findings"].as_array().expect("findings");
    let left = findings.iter().filter(|finding| finding["severity"] == "leftover");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    left.map(|it| format!("{} {}/{}", text(it, "kind"), text(it, "namespace"), text(it, "name"))).collect()
}
