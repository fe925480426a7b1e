//! The Instrumentor document against a real API server: three conditions, nothing else, no second rollout.

#[path = "../support/mod.rs"]
mod support;

use epiphyte_api::WorkloadKind::Deployment;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_deployment_asks_for_its_device_after_exactly_one_change() {
    let cluster = Cluster::ready().await;
    let _operator = cluster.operator(&OperatorOptions::default()).await;
    cluster.namespace("shop", None).await;
    cluster.apply(&annotated(deployment("shop", "cart"), "true")).await;
    cluster.answer(Deployment, "shop", "cart", &[("app", "java")]).await;
    cluster.until_devices(Deployment, "shop", "cart", &[("app", JAVA)]).await;
    assert_eq!(cluster.generation(Deployment, "shop", "cart").await, 2);
    cluster.until_reason(Deployment, "shop", "cart", "Instrumented", "Instrumented").await;
}
