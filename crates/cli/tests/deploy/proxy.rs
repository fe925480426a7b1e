//! The telemetry proxy as the manifests have it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use epiphyte_testbed::otlp::Receiver;
use epiphyte_testbed::{ControlPlane, programs};
use serde_json::{Value, json};

use crate::support::{self, Admin, Cluster, TOKEN, until};
use crate::{OPERATOR, SYSTEM, free_address, object, repository, texts};

/// The resources that its role lets it see.
fn granted() -> BTreeSet<String> {
    let role = object("ClusterRole", "epiphyte-telemetry-proxy");
    role["rules"].as_array().expect("rules").iter().flat_map(|rule| texts(&rule["resources"])).collect()
}

/// Its settings in the manifests, with another upstream and ports that nobody uses.
fn settings(upstream: &Receiver) -> Value {
    let text = object("ConfigMap", "epiphyte-telemetry-proxy")["data"]["settings.yaml"].as_str().map(str::to_owned);
    let mut settings: Value = yaml_serde::from_str(&text.expect("settings")).expect("YAML");
    settings["endpoint"]["otlp"]["url"] = json!(upstream.url());
    let port = || free_address().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    settings["listen"] = json!({
        "grpc": free_address(), "http": free_address(), "trafficMetrics": port(), "eventsMetrics": port(),
    });
    settings
}

#[test]
fn neither_the_manager_nor_the_proxy_takes_the_others_address_away() {
    let pod = &object("Deployment", "epiphyte-operator")["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().expect("containers");
    let proxy = containers.iter().find(|it| it["name"] == "telemetry-proxy").expect("the proxy");
    assert_eq!(proxy.get("readinessProbe"), None);
    for probe in ["startupProbe", "livenessProbe"] {
        // The supervisor's own: what its Collectors are like is at `/readyz`.
        assert_eq!(proxy[probe]["httpGet"]["path"], "/healthz");
    }
    let service = object("Service", "epiphyte-telemetry-proxy");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    let names = |ports: &Value| -> BTreeSet<String> {
        ports.as_array().expect("ports").iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&service["spec"]["ports"]), names(&proxy["ports"]));
    assert!(names(&proxy["ports"]).contains("health"), "where the scheduler asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_telemetry_proxy_works_with_the_rights_that_the_manifests_give_and_uses_each() {
    let plane = ControlPlane::start().await.expect("a control plane");
    let cluster = Cluster { client: plane.client(), plane };
    for file in ["deploy/crds.yaml", "deploy/epiphyte.yaml"] {
        cluster.kubectl(&["apply", "--server-side", "-f", &repository().join(file).display().to_string()]);
    }
    cluster.apply(&support::token_secret(SYSTEM, TOKEN)).await;
    let mark = cluster.plane.audit().mark().expect("a mark");

    let (upstream, admin) = (Receiver::on_loopback().expect("a receiver"), Admin::free());
    let folder = cluster.plane.folder().join("proxy");
    fs::create_dir(&folder).expect("a folder");
    let write = |name: &str, value: Value| fs::write(folder.join(name), value.to_string()).expect("written");
    write("settings.yaml", settings(&upstream));
    write("tokens.json", json!([TOKEN]));
    // Where the manifests' own pods are made, of which Events tell.
    write("namespaces_to_monitor.json", json!([{ "name": SYSTEM, "uid": "uid", "token": TOKEN }]));
    let groups = ["system:serviceaccounts", "system:serviceaccounts:epiphyte-system"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command.args(["telemetry-proxy", "--admin-listen", &admin.0, "--config"]).arg(folder.join("settings.yaml"));
    command.arg("--namespaces-file").arg(folder.join("namespaces_to_monitor.json"));
    command.arg("--collector").arg(programs::collector().expect("the Collector is built"));
    command.arg("--run-dir").arg(folder.join("run")).arg("--queue-dir").arg(folder.join("queue"));
    command.env("KUBECONFIG", cluster.plane.user(OPERATOR, &groups).expect("a kubeconfig"));
    let proxy = cluster.plane.run("proxy", &command).await.expect("the proxy starts");

    let log = || fs::read_to_string(proxy.log()).unwrap_or_default();
    until("the proxy is ready", || async {
        assert!(proxy.pid().is_some(), "{}", log());
        admin.is_ready()
    })
    .await;
    until("an Event arrives", || async { !upstream.requests().is_empty() }).await;
    let asked = || {
        let entries = cluster.plane.audit().since(mark).expect("the audit log");
        let ours = entries.into_iter().filter(|entry| entry.user.username == OPERATOR);
        ours.filter(|entry| entry.object_ref.is_some()).collect::<Vec<_>>()
    };
    until("it has seen all that it may", || async {
        let watched = asked().into_iter().filter(|entry| entry.verb == "watch");
        granted() == watched.filter_map(|entry| Some(entry.object_ref?.resource)).collect()
    })
    .await;
    let refused: Vec<_> = asked().into_iter().filter(|entry| entry.response_status.code == 403).collect();
    assert!(refused.is_empty(), "{refused:?}\n{}", log());
}
