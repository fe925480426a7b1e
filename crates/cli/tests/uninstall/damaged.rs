//! With parts of the installation gone already, or to be kept.

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::json;

use crate::scene::*;
use crate::support::*;

const CRDS: [&str; 4] = [
    "collectorsgroups.odigos.io",
    "instrumentedapplications.odigos.io",
    "sources.odigos.io",
    "lumigoes.operator.lumigo.io",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_gone_already_the_rest_goes_too() {
    let cluster = Cluster::ready().await;
    definitions_can_stay(&cluster).await;
    the_definitions_are_gone(&cluster).await;
    the_system_namespace_is_gone(&cluster).await;
}

async fn definitions_can_stay(cluster: &Cluster) {
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(cluster).await;
    cluster.apply(&source("shop", "wish", "Deployment", "cart", false)).await;
    withdraw_devices(cluster).await;
    uninstalled(cluster, &["--keep-crds"]).await.assert_uninstalled();
    originals.assert_restored(cluster).await;
    for crd in CRDS {
        assert!(cluster.get("apiextensions.k8s.io/v1", "customresourcedefinitions", "", crd).await.is_some());
    }
    assert!(cluster.get("odigos.io/v1alpha1", "sources", "shop", "wish").await.is_some(), "a person's mark stays");
    assert!(cluster.list("odigos.io/v1alpha1", "instrumentedapplications", "shop").await.is_empty());
    assert_eq!(audit(cluster, &["--keep-crds"]), (Vec::new(), Some(0)));
    let (left, code) = audit(cluster, &[]);
    assert_eq!((left.len(), code), (CRDS.len(), Some(1)), "{left:?}");
    cluster.kubectl(&["delete", "source", "-n", "shop", "wish"]);
    operator.kill();
}

async fn the_definitions_are_gone(cluster: &Cluster) {
    offer_devices(cluster).await;
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(cluster).await;
    // The operator sees its Lumigo out, and the rest goes without it.
    cluster.kubectl(&[&["delete", "crd"][..], &CRDS].concat());
    withdraw_devices(cluster).await;
    // One that comes up after that never knows all, and must not be in the way.
    operator.kill();
    let operator = Operator::start(&cluster.plane, &short_lease());
    until("the operator waits for the definitions", || async {
        operator.admin("/readyz").is_some_and(|(_, body)| body.contains("lumigoes"))
    })
    .await;
    uninstalled(cluster, &[]).await.assert_uninstalled();
    originals.assert_restored(cluster).await;
    operator.kill();
}

async fn the_system_namespace_is_gone(cluster: &Cluster) {
    cluster.define();
    cluster.collectors("gateway", Ready::Yes).await;
    offer_devices(cluster).await;
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(cluster).await;
    operator.kill();
    cluster.kubectl(&["delete", "namespace", SYSTEM]);
    // Nobody takes the finalizer off its Lumigo any more, so that it is on its way out for ever.
    cluster.kubectl(&["delete", "crd", CRDS[3], "--wait=false"]);
    withdraw_devices(cluster).await;
    let said = uninstalled(cluster, &[]).await;
    said.assert_uninstalled();
    assert!(said.progress.contains("no system namespace"), "{said:#?}");
    originals.assert_restored(cluster).await;
    assert!(cluster.workload(Deployment, "shop", "cart").await["metadata"]["annotations"].is_object());

    // Installed again, nothing of it is in the way.
    cluster.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": SYSTEM } })).await;
    cluster.define();
    cluster.collectors("gateway", Ready::Yes).await;
    offer_devices(cluster).await;
    let _operator = cluster.operator(&short_lease()).await;
    furnish(cluster).await;
}
