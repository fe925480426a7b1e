//! A cluster that lives on while operators, the webhook and the API server come and go.

use std::time::{Duration, Instant};

use epiphyte_api::WorkloadKind::{Deployment, StatefulSet};
use epiphyte_testbed::Component;
use serde_json::{Value, json};

use crate::scene::*;
use crate::support::*;

/// The generations of the workloads that were instrumented first.
const SETTLED: [(&str, i64); 2] = [("cart", 2), ("mail", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_cluster_stays_as_it_is_whatever_comes_and_goes() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&of_version(1)).await;
    settle(&cluster).await;

    nothing_is_written_while_others_are_busy(&cluster).await;
    api_server_restarts(&cluster).await;

    assert!(operator.stop(), "a stop on request is no failure");
    let operator = a_new_process_writes_nothing(&cluster).await;
    assert!(operator.stop());

    let operator = the_next_version_takes_over_without_a_rollout(&cluster).await;
    without_a_webhook_writes_go_on(&cluster, operator).await;
}

fn of_version(version: u32) -> OperatorOptions {
    let settings = format!("{SHORT_LEASE}injector: {{image: \"registry.test/agents:{version}\"}}\n");
    OperatorOptions { settings, ..OperatorOptions::default() }
}

fn mail() -> Value {
    labelled(idle(deployment("shop", "mail")), "true")
}

fn cart() -> Value {
    annotated(idle(deployment("shop", "cart")), "true")
}

/// Both deliveries, what nobody marked, and what calls for Warnings.
async fn settle(cluster: &Cluster) {
    cluster.namespace("shop", None).await;
    cluster.apply(&idle(deployment("shop", "unmarked"))).await;
    cluster.apply(&annotated(idle(deployment("shop", "mismarked")), "yes")).await;
    cluster.apply(&source("shop", "astray", "Deployment", "nowhere", false)).await;
    cluster.apply(&mail()).await;
    cluster.apply(&cart()).await;
    cluster.answer(Deployment, "shop", "cart", &[("app", "java")]).await;
    cluster.until_devices(Deployment, "shop", "cart", &[("app", JAVA)]).await;
    cluster.until_reason(Deployment, "shop", "cart", "Instrumented", "Instrumented").await;
    cluster.apply(&annotated(workload(StatefulSet, "shop", "waits", &["app"]), "true")).await;
    cluster.until_reason(StatefulSet, "shop", "waits", "RuntimeDetected", "WaitingForDetection").await;
    cluster.until_event("shop", "mismarked", "InvalidMark").await;
    until("the Source that names nothing is told of", || async { !cluster.events("shop", "astray").await.is_empty() })
        .await;
    see_handled(cluster, "shop", "settled").await;
    assert_settled(cluster).await;
}

async fn assert_settled(cluster: &Cluster) {
    for (name, generation) in SETTLED {
        assert_eq!(cluster.generation(Deployment, "shop", name).await, generation, "generation of {name}");
    }
}

async fn nothing_is_written_while_others_are_busy(cluster: &Cluster) {
    let mark = cluster.plane.audit().mark().expect("a mark");
    let labels = json!({ "metadata": { "labels": { "team": "payments" } } });
    for name in ["cart", "mail", "unmarked", "mismarked"] {
        cluster.merge(&deployment_object(name), "", &labels).await;
    }
    let namespace = Object { api_version: "v1", plural: "namespaces", namespace: "", name: "shop" };
    cluster.merge(&namespace, "", &labels).await;
    cluster.plane.update_node(&node("node-1").label("team", "payments")).await.expect("the node is written");
    cluster.apply(&idle(deployment("shop", "newcomer"))).await;
    see_handled(cluster, "shop", "busy").await;
    assert_eq!(other_writes(cluster, mark, "busy"), Vec::<String>::new());
    assert_settled(cluster).await;
}

async fn api_server_restarts(cluster: &Cluster) {
    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.plane.restart(Component::ApiServer).await.expect("the API server comes back");
    see_handled(cluster, "shop", "afterwards").await;
    assert_eq!(other_writes(cluster, mark, "afterwards"), Vec::<String>::new());
    assert_settled(cluster).await;
}

async fn a_new_process_writes_nothing(cluster: &Cluster) -> Operator {
    let mark = cluster.plane.audit().mark().expect("a mark");
    let operator = cluster.operator(&of_version(1)).await;
    see_handled(cluster, "shop", "reborn").await;
    let mut writes = other_writes(cluster, mark, "reborn");
    // Outside the cluster it makes the webhook's configuration.
    writes.retain(|write| !write.contains("/mutatingwebhookconfigurations/"));
    assert_eq!(writes, Vec::<String>::new());
    assert_settled(cluster).await;
    operator
}

async fn the_next_version_takes_over_without_a_rollout(cluster: &Cluster) -> Operator {
    let mark = cluster.plane.audit().mark().expect("a mark");
    let operator = cluster.operator(&of_version(2)).await;
    see_handled(cluster, "shop", "modern").await;
    assert_settled(cluster).await;

    // Generations count the annotations too that a replacement drops: what tells of a rollout is the specification.
    for manifest in [mail(), cart()] {
        let name = manifest["metadata"]["name"].as_str().expect("a name");
        let before = cluster.workload(Deployment, "shop", name).await;
        cluster.kubectl_with(&["replace", "-f", "-"], &manifest);
        let after = cluster.workload(Deployment, "shop", name).await;
        assert_eq!(after["spec"], before["spec"], "{name} is not rolled out");
    }
    see_handled(cluster, "shop", "replaced").await;
    assert_eq!(patched(cluster, OPERATOR, mark, Deployment), ["modern", "replaced"]);

    let mut release = mail();
    release["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
    let before = cluster.generation(Deployment, "shop", "mail").await;
    cluster.kubectl_with(&["replace", "-f", "-"], &release);
    let mail = cluster.workload(Deployment, "shop", "mail").await;
    assert_eq!(agents_image(&mail), Some("registry.test/agents:2"));
    assert_eq!(mail["metadata"]["generation"], before + 1, "the change and the new agents are one rollout");
    operator
}

async fn without_a_webhook_writes_go_on(cluster: &Cluster, operator: Operator) {
    // It is there but does not answer: the API server waits for as long as the webhook's configuration says.
    operator.signal("STOP");
    let start = Instant::now();
    cluster.apply(&labelled(idle(deployment("shop", "unheard")), "true")).await;
    assert!(start.elapsed() < Duration::from_secs(8), "admitted after {:?}", start.elapsed());
    operator.kill();
    let start = Instant::now();
    cluster.apply(&labelled(idle(deployment("shop", "alone")), "true")).await;
    assert!(start.elapsed() < Duration::from_secs(5), "admitted after {:?}", start.elapsed());
    cluster.kubectl_with(&["replace", "-f", "-"], &mail());
    let mut before = Vec::new();
    for name in ["unheard", "alone", "mail"] {
        let workload = cluster.workload(Deployment, "shop", name).await;
        assert_eq!(agents_image(&workload), None, "{name} while nobody is there");
        before.push(cluster.generation(Deployment, "shop", name).await);
    }

    let mark = cluster.plane.audit().mark().expect("a mark");
    let _operator = cluster.operator(&of_version(2)).await;
    for (name, before) in ["unheard", "alone", "mail"].into_iter().zip(before) {
        until_injected(cluster, "shop", name).await;
        assert_eq!(cluster.generation(Deployment, "shop", name).await, before + 1, "{name} was changed once");
    }
    see_handled(cluster, "shop", "relieved").await;
    let mut patched = patched(cluster, OPERATOR, mark, Deployment);
    patched.sort_unstable();
    assert_eq!(patched, ["alone", "mail", "relieved", "unheard"]);
}

fn deployment_object(name: &str) -> Object<'_> {
    Object { api_version: "apps/v1", plural: "deployments", namespace: "shop", name }
}
