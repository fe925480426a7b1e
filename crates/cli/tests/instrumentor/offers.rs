//! The nodes' offer. On a control plane of its own, because nodes are everybody's.

use epiphyte_api::WorkloadKind::DaemonSet;
use epiphyte_testbed::FakeNode;

use crate::subject::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_added_only_where_nodes_offer_it_and_never_taken_off_for_want_of_an_offer() {
    let cluster = Cluster::bare().await;
    cluster.collectors("gateway", Ready::Yes).await;
    cluster.plane.create_node(&FakeNode::new("one")).await.expect("a node");
    let _operator = cluster.operator(&OperatorOptions::default()).await;
    cluster.namespace("shop", Some("true")).await;

    // No offer: additions wait. One comes: they are made.
    let cart = Subject::create(&cluster, &deployment("shop", "cart")).await;
    cart.answer(&[("app", "java")]).await;
    cart.until_verdict("app", "keep", "NoNodeOffersDevice").await;
    assert_eq!(cart.generation().await, 1);
    cluster.plane.update_node(&node("one")).await.expect("the node offers");
    cart.until_devices(&[("app", JAVA)]).await;

    // A DaemonSet waits for the last of its nodes.
    let daemon = daemon_set(&cluster, "daemon").await;
    daemon.until_devices(&[("app", JAVA)]).await;
    cluster.plane.create_node(&FakeNode::new("two")).await.expect("a node");
    let second = daemon_set(&cluster, "second").await;
    second.until_verdict("app", "keep", "NoNodeOffersDevice").await;
    // For a Deployment one node is enough.
    let stock = Subject::create(&cluster, &deployment("shop", "stock")).await;
    stock.answer(&[("app", "java")]).await;
    stock.until_devices(&[("app", JAVA)]).await;
    assert_eq!((second.generation().await, second.writes()), (1, 0));

    // The offer goes altogether: additions wait, and nothing is taken off.
    cluster.plane.update_node(&FakeNode::new("one")).await.expect("the node no longer offers");
    let late = Subject::create(&cluster, &deployment("shop", "late")).await;
    late.answer(&[("app", "java")]).await;
    late.until_verdict("app", "keep", "NoNodeOffersDevice").await;
    for subject in [&cart, &daemon, &stock] {
        subject.until_devices(&[("app", JAVA)]).await;
        subject.until_reason("Instrumented", "Instrumented").await;
        assert_eq!((subject.generation().await, subject.writes()), (2, 1), "{subject}");
    }

    // All nodes offer: nobody waits any more.
    for name in ["one", "two"] {
        cluster.plane.update_node(&node(name)).await.expect("the node offers");
    }
    for subject in [&late, &second] {
        subject.until_devices(&[("app", JAVA)]).await;
        assert_eq!((subject.generation().await, subject.writes()), (2, 1), "{subject}");
    }
}

async fn daemon_set<'a>(cluster: &'a Cluster, name: &str) -> Subject<'a> {
    let daemon = Subject::create(cluster, &workload(DaemonSet, "shop", name, &["app"])).await;
    daemon.answer(&[("app", "java")]).await;
    daemon
}
