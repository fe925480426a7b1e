//! What the webhook does as workloads are created.

use crate::SHARED;
use crate::details::hand_made;
use crate::subject::*;
use crate::support::*;

#[test]
fn a_workload_in_the_namespace_of_a_lumigo_is_injected_as_it_is_created() {
    SHARED.run(async |cluster| {
        cluster.namespace("created", None).await;
        let known = Subject::create(cluster, &deployment("created", "known")).await;
        cluster.lumigo("created").await;
        known.until_injected().await;
        let cart = Subject::create(cluster, &deployment("created", "cart")).await;
        assert!(is_injected(&cart.template().await));
        witness(cluster, "created").await;
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
    });
}

#[test]
fn a_workload_whose_details_are_known_has_its_device_as_it_is_created() {
    SHARED.run(async |cluster| {
        cluster.namespace("known", None).await;
        cluster.create(&hand_made("known", "deployment-cart", &[("app", "java")])).await;
        // Details of a later date that were acted on show that those are known.
        cluster.create(&hand_made("known", "deployment-later", &[("app", "java")])).await;
        let later = Subject::create(cluster, &annotated(deployment("known", "later"), "true")).await;
        later.until_devices(&[("app", JAVA)]).await;
        let cart = Subject::create(cluster, &annotated(deployment("known", "cart"), "true")).await;
        cart.assert_devices(&[("app", JAVA)]).await;
        cart.until_reason("Instrumented", "Instrumented").await;
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
    });
}

#[test]
fn a_dry_run_shows_the_injection_and_leaves_nothing_behind() {
    SHARED.run(async |cluster| {
        cluster.namespace("dry-run", None).await;
        let known = Subject::create(cluster, &deployment("dry-run", "known")).await;
        cluster.lumigo("dry-run").await;
        known.until_injected().await;
        until("the Lumigo lists what is injected", || async {
            let lumigo = cluster.get("operator.lumigo.io/v1", "lumigoes", "dry-run", "lumigo").await;
            lumigo.is_some_and(|it| it["status"]["instrumentedResources"][0]["name"] == "known")
        })
        .await;
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        let path = "/apis/apps/v1/namespaces/dry-run/deployments?dryRun=All";
        let shown = cluster.send("POST", path, "application/json", &deployment("dry-run", "cart")).await;
        let shown = shown.expect("a dry run is allowed");
        assert!(is_injected(shown.pointer("/spec/template").expect("a template")));
        let marked = annotated(deployment("dry-run", "marked"), "true");
        cluster.send("POST", path, "application/json", &marked).await.expect("a dry run is allowed");

        witness(cluster, "dry-run").await;
        assert!(cluster.get("apps/v1", "deployments", "dry-run", "cart").await.is_none());
        assert!(cluster.events("dry-run", "cart").await.is_empty());
        assert!(cluster.list("odigos.io/v1alpha1", "instrumentedapplications", "dry-run").await.is_empty());
        let writes = cluster.operator_writes(mark);
        let names: Vec<_> = writes.iter().filter_map(|entry| entry.object_ref.as_ref()).collect();
        assert!(!names.iter().any(|it| it.namespace == "dry-run" && !it.name.starts_with("known")), "{names:?}");
    });
}
