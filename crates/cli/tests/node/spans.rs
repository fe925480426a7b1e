//! Telemetry of programs that nobody changed.

use std::collections::BTreeMap;

use epiphyte_api::WorkloadKind;
use epiphyte_testbed::otlp::{Span, SpanKind};
use serde_json::{Value, json};

use crate::installed::{Installed, repository, test};
use crate::support::{source, until};
use crate::workloads::{container, deployment, service, with_command, with_probe};

/// The four services: Deployment, language as their telemetry tells it.
const SERVICES: [(&str, &str); 4] =
    [("storefront", "java"), ("recommendations", "python"), ("prices", "nodejs"), ("stock", "go")];

/// The templates of the Deployments of a namespace.
async fn templates(installed: &Installed, namespace: &str) -> BTreeMap<String, Value> {
    let deployments = installed.cluster.list("apps/v1", "deployments", namespace).await;
    let name = |it: &Value| it["metadata"]["name"].as_str().expect("a name").to_owned();
    deployments.iter().map(|it| (name(it), it["spec"]["template"].clone())).collect()
}

#[test]
fn four_services_in_four_languages_are_traced_by_one_rollout_each_and_left_as_they_were() {
    test("market", async |installed, namespace| {
        let cluster = &installed.cluster;
        let file = repository().join("examples/services/services.yaml").display().to_string();
        cluster.kubectl(&["apply", "--server-side", "-f", &file]);
        SERVICES.iter().for_each(|(name, _)| installed.rolled_out(namespace, name));
        let before = templates(installed, namespace).await;
        installed.mark(namespace, &SERVICES.map(|(name, _)| name)).await;

        for (name, language) in SERVICES {
            let pod = installed.pod(namespace, name).await;
            let span = installed.span_of(namespace, &pod, name);
            let mut expected = vec![
                ("service.name", name),
                ("k8s.namespace.name", namespace),
                ("k8s.pod.name", &*pod),
                ("k8s.container.name", name),
                ("k8s.deployment.name", name),
                ("telemetry.sdk.language", language),
            ];
            // What its image says of itself.
            expected.extend((name == "recommendations").then_some(("market.team", "green")));
            for (key, value) in expected {
                assert_eq!(span.resource.get(key).map(String::as_str), Some(value), "{key} of {span:?}");
            }
        }
        let services = installed.spans("trace through three services", through_three);
        assert_eq!(services, ["storefront", "recommendations", "prices"]);

        for (name, _) in SERVICES {
            let sets = cluster.list("apps/v1", "replicasets", namespace).await;
            let of = |set: &&Value| set["metadata"]["labels"]["app"] == name;
            assert_eq!(sets.iter().filter(of).count(), 2, "{name} was rolled out once by us");
        }

        cluster.kubectl(&["annotate", "namespace", namespace, "odigos.io/instrument-"]);
        until("the templates are as they were", || async { templates(installed, namespace).await == before }).await;
        SERVICES.iter().for_each(|(name, _)| installed.rolled_out(namespace, name));
    });
}

/// The services that a trace goes through from the visitor to the last that serves, each once.
fn through_three(spans: &[Span]) -> Option<[String; 3]> {
    let above = |span: &Span| spans.iter().find(|above| above.id == span.parent && above.trace == span.trace);
    let mut last = spans.iter().filter(|span| span.service() == "prices" && span.kind == SpanKind::Server);
    last.find_map(|span| {
        let mut services = vec![span.service().to_owned()];
        let mut at = span;
        while let Some(next) = above(at) {
            at = next;
            if services.last().map(String::as_str) != Some(at.service()) {
                services.push(at.service().to_owned());
            }
        }
        services.reverse();
        services.try_into().ok()
    })
}

#[test]
fn a_source_names_the_service_and_containers_that_share_a_pod_are_told_apart() {
    test("spans-names", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        let listen = "require('http').createServer((q, a) => a.end()).listen(9000); \
                      setInterval(() => require('http').get('http://127.0.0.1:9000/'), 500)";
        let second = with_command(container("second", "sample-node"), &["node", "-e", listen]);
        installed.apply(
            namespace,
            &[
                service("renamed", "sample-python"),
                deployment("pair", &[with_probe(container("first", "sample-python")), second]),
            ],
        );
        let mut named = source(namespace, "renamed", "Deployment", "renamed", false);
        named["spec"]["otelServiceName"] = json!("till");
        installed.cluster.apply(&named).await;
        installed.mark(namespace, &["renamed", "pair"]).await;
        let (renamed, pair) = (installed.pod(namespace, "renamed").await, installed.pod(namespace, "pair").await);
        assert_eq!(installed.span_of(namespace, &renamed, "app").service(), "till");
        for container in ["first", "second"] {
            assert_eq!(installed.span_of(namespace, &pair, container).service(), format!("pair-{container}"));
        }
    });
}

#[test]
fn each_kind_of_workload_is_named_in_its_telemetry() {
    test("spans-kinds", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        for kind in [WorkloadKind::StatefulSet, WorkloadKind::DaemonSet] {
            let name = kind.as_str().to_lowercase();
            let mut workload = service(&name, "sample-python");
            workload["kind"] = json!(kind.as_str());
            if kind == WorkloadKind::StatefulSet {
                workload["spec"]["serviceName"] = json!("none");
            }
            installed.apply(namespace, &[workload]);
        }
        installed.cluster.kubectl(&["annotate", "namespace", namespace, "odigos.io/instrument=true"]);
        for (name, key) in [("statefulset", "k8s.statefulset.name"), ("daemonset", "k8s.daemonset.name")] {
            let of = |span: &&Span| span.resource.get("k8s.namespace.name").is_some_and(|it| it == namespace);
            let span = installed.spans(&format!("span of a {name}"), |spans| {
                spans.iter().filter(of).find(|span| span.resource.get(key).is_some_and(|it| it == name)).cloned()
            });
            assert_eq!(span.service(), name);
        }
    });
}
