//! The scheduler against a real API server: addresses that the test plays, behind EndpointSlices of the telemetry proxy's
//! Service, and the `CollectorsGroup` that the operator keeps of them.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod group;
mod loss;
mod replicas;
mod switch;

use support::*;

/// Settings with a scheduler, and a grace period that no test sees the end of.
const SCHEDULING: &str = "scheduler: {enabled: true}\ncollectors: {unreadyGracePeriod: 10m}\n";

/// What is said while the one address takes telemetry.
const ONE_TAKES: &str = "1 of 1 address takes telemetry.";

/// What is said while two do.
const TWO_TAKE: &str = "2 of 2 addresses take telemetry.";

/// Why there is no test: the API server takes no loopback address for that of a pod.
const NO_ADDRESS: &str = "this machine has no address but its loopback";

/// Addresses, or the test is told to be skipped.
async fn addresses<const N: usize>() -> Option<[Address; N]> {
    let mut opened = Vec::new();
    for _ in 0..N {
        match Address::open().await {
            Some(address) => opened.push(address),
            None => {
                epiphyte_testbed::skipped(NO_ADDRESS);
                return None;
            }
        }
    }
    opened.try_into().ok()
}

/// An operator that schedules, under a user's name, and whose lease is short.
fn scheduling(user: &str) -> OperatorOptions {
    let settings = format!("{SCHEDULING}{SHORT_LEASE}");
    OperatorOptions { settings, user: user.to_owned(), ..OperatorOptions::default() }
}

/// A cluster with definitions and a node that offers every device, and no group of collectors.
async fn cluster() -> Cluster {
    let cluster = Cluster::bare().await;
    cluster.plane.create_node(&node("node-1")).await.expect("a node");
    cluster
}

/// Instruments a Deployment by device, and waits until all about it is said.
async fn instrumented(cluster: &Cluster, namespace: &str, name: &str) {
    use epiphyte_api::WorkloadKind::Deployment;
    cluster.namespace(namespace, None).await;
    cluster.apply(&annotated(idle(deployment(namespace, name)), "true")).await;
    cluster.answer(Deployment, namespace, name, &[("app", "java")]).await;
    cluster.until_devices(Deployment, namespace, name, &[("app", JAVA)]).await;
    cluster.until_reason(Deployment, namespace, name, "Instrumented", "Instrumented").await;
}
