//! The collectors' readiness, the third condition, and the grace period of its loss. On a control plane of its own,
//! because the collectors are everybody's.

use std::time::Duration;

use epiphyte_testbed::Entry;

use crate::subject::*;
use crate::support::*;

/// Long enough for a flap on a slow machine.
const LONG: &str = "collectors: {unreadyGracePeriod: 10m}";

/// Short enough to be waited for, long enough to be told from none.
const SHORT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn devices_come_with_the_collectors_and_go_when_their_loss_outlasts_the_grace_period() {
    let cluster = Cluster::bare().await;
    cluster.plane.create_node(&node("node-1")).await.expect("a node");
    let options = OperatorOptions { settings: LONG.to_owned(), ..OperatorOptions::default() };
    let operator = cluster.operator(&options).await;
    cluster.namespace("shop", None).await;
    let cart = Subject::create(&cluster, &annotated(deployment("shop", "cart"), "true")).await;

    // No group at all counts as unready, and one of two is not enough.
    cart.answer(&[("app", "java")]).await;
    cart.until_reason("RuntimeDetected", "RuntimeDetected").await;
    cart.until_reason("CollectorsReady", "CollectorsGracePeriod").await;
    cluster.collectors("gateway", Ready::Yes).await;
    cart.until_devices(&[("app", JAVA)]).await;
    assert_eq!(cart.generation().await, 2);

    // A flap within the grace period: everything stays, and what is new waits.
    cluster.collectors("gateway", Ready::No).await;
    cart.until_reason("CollectorsReady", "CollectorsGracePeriod").await;
    cart.until_reason("Instrumented", "CollectorsGracePeriod").await;
    let late = Subject::create(&cluster, &annotated(deployment("shop", "late"), "true")).await;
    late.answer(&[("app", "python")]).await;
    late.until_verdict("app", "keep", "CollectorsGracePeriod").await;
    assert_eq!(late.generation().await, 1);
    cluster.collectors("gateway", Ready::Yes).await;
    late.until_devices(&[("app", PYTHON)]).await;
    cart.until_reason("Instrumented", "Instrumented").await;
    assert_eq!((cart.generation().await, cart.writes()), (2, 1));

    // A second group that is not ready is a loss too. It outlasts the grace period, and not a moment earlier counts.
    reconfigure(&operator, &format!("collectors: {{unreadyGracePeriod: {}s}}", SHORT.as_secs())).await;
    let mark = cluster.plane.audit().mark().expect("the audit log is read");
    cluster.collectors("nodes", Ready::No).await;
    for subject in [&cart, &late] {
        subject.until_bare().await;
        subject.until_reason("CollectorsReady", "CollectorsNotReady").await;
        subject.until_reason("Instrumented", "CollectorsNotReady").await;
    }
    assert_eq!((cart.generation().await, late.generation().await), (3, 3));
    let entries = cluster.plane.audit().writes_since(mark).expect("the audit log is read");
    let at = |entry: &Entry| entry.request_received_timestamp.0;
    let lost = entries.iter().find(|entry| entry.is_about("collectorsgroups")).map(at).expect("the group was made");
    let removed =
        entries.iter().filter(|entry| entry.is_about("deployments") && entry.user.username == OPERATOR).map(at);
    let waited = removed.min().expect("devices were taken off").duration_since(lost);
    assert!(waited.unsigned_abs() >= SHORT, "devices went after {waited:#}");

    // Ready again: they come back, once.
    cluster.collectors("nodes", Ready::Yes).await;
    for (subject, device) in [(&cart, JAVA), (&late, PYTHON)] {
        subject.until_devices(&[("app", device)]).await;
        assert_eq!(subject.generation().await, 4, "{subject}");
    }

    // A grace period of none is the letter of the document.
    reconfigure(&operator, "collectors: {unreadyGracePeriod: 0s}").await;
    cluster.collectors("gateway", Ready::No).await;
    cart.until_bare().await;
    cluster.collectors("gateway", Ready::Yes).await;
    cart.until_devices(&[("app", JAVA)]).await;
    for name in ["gateway", "nodes"] {
        let (api_version, plural) = ("odigos.io/v1alpha1", "collectorsgroups");
        cluster.delete(&Object { api_version, plural, namespace: SYSTEM, name }).await;
    }
    cart.until_bare().await;
    cart.until_reason("CollectorsReady", "CollectorsMissing").await;
}

/// Writes other settings, and waits until the operator has taken them over.
async fn reconfigure(operator: &Operator, settings: &str) {
    let taken_over = || operator.log().matches("took over changed settings").count();
    let before = taken_over();
    operator.reconfigure(settings);
    until("the operator takes over its settings", || async { taken_over() > before }).await;
}
