//! Under Helm, whose hook uninstalling is: the mark stays until Helm removes the operator, and the next installation waits it out.

use serde_json::{Value, json};

use crate::scene::*;
use crate::support::*;

/// The operator's Deployment, as Helm keeps it; what it runs is beside the cluster.
fn of_helm() -> Value {
    let mut operator = idle(deployment(SYSTEM, "epiphyte-operator"));
    operator["metadata"]["labels"] =
        json!({ "app.kubernetes.io/part-of": "epiphyte", "app.kubernetes.io/managed-by": "Helm" });
    operator
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_keeps_is_left_to_helm_and_the_mark_goes_with_it() {
    let cluster = Cluster::ready().await;
    cluster.apply(&of_helm()).await;
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(&cluster).await;
    withdraw_devices(&cluster).await;
    let said = uninstalled(&cluster, &["--keep-crds"]).await;
    said.assert_uninstalled();
    originals.assert_restored(&cluster).await;
    // An operator that Helm has yet to end must not begin anew.
    assert!(is_marked(&cluster).await);
    let findings = said.report["audit"]["findings"].as_array().expect("findings");
    for (kind, name) in [("ConfigMap", "epiphyte-uninstalling"), ("Deployment", "epiphyte-operator")] {
        let found = findings.iter().find(|it| it["kind"] == kind && it["name"] == name).expect("it is told of");
        assert_eq!(found["severity"], "information", "{said:#?}");
    }

    // The next installation is there before the garbage collector has the mark of the last.
    let next = Operator::start(&cluster.plane, &short_lease());
    until("the next operator leads", || async { next.is_ready() && next.leads() }).await;
    offer_devices(&cluster).await;
    originals.assert_restored(&cluster).await;
    cluster.kubectl(&["delete", "deployment", "-n", SYSTEM, "epiphyte-operator"]);
    until("the mark is collected", || async { !is_marked(&cluster).await }).await;
    cluster.lumigo("traced").await;
    instrumented(&cluster).await;
    assert!(operator.is_ready() && !operator.leads(), "the last operator has done with it");
}
