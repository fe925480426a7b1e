//! The object: made, kept, and written only when there is something else to say.

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::{Value, json};

use crate::support::*;
use crate::{ONE_TAKES, SCHEDULING, TWO_TAKE, addresses, cluster, instrumented};

#[tokio::test(flavor = "multi_thread")]
async fn the_group_is_made_and_kept_and_says_what_the_addresses_say() {
    let Some([one, other]) = addresses().await else { return };
    let cluster = cluster().await;
    // Somebody else's, which is theirs.
    cluster.collectors("gateway", Ready::Yes).await;
    let theirs = cluster.group("gateway").await;
    let operator =
        cluster.operator(&OperatorOptions { settings: SCHEDULING.to_owned(), ..OperatorOptions::default() }).await;

    let group = cluster.until_proxy(false, "There is no address of the telemetry proxy.").await;
    assert_eq!(group["status"]["conditions"][0]["reason"], "NoProxyAddress");
    cluster.publish("a", &one).await;
    let group = cluster.until_proxy(true, ONE_TAKES).await;
    assert_eq!(group["spec"], json!({ "role": "CLUSTER_GATEWAY" }));
    let labels = json!({ "app.kubernetes.io/part-of": "epiphyte", "app.kubernetes.io/managed-by": "epiphyte" });
    assert_eq!(group["metadata"]["labels"], labels);
    assert_eq!(group["status"]["conditions"][0]["reason"], "TelemetryTaken");
    assert_eq!(group["status"]["conditions"][0]["observedGeneration"], group["metadata"]["generation"]);

    // Another address, in two slices.
    cluster.publish("b", &other).await;
    cluster.publish("b-too", &other).await;
    cluster.until_proxy(true, TWO_TAKE).await;
    instrumented(&cluster, "shop", "cart").await;
    assert_eq!(operator.metric("epiphyte_proxy_addresses", &[]), 2.0);
    assert_eq!(operator.metric("epiphyte_proxy_addresses_ready", &[]), 2.0);

    one_of_two_is_enough(&cluster, &other).await;
    a_settled_group_is_not_written(&cluster, &one).await;
    what_others_do_to_it_is_undone(&cluster).await;

    assert_eq!(cluster.generation(Deployment, "shop", "cart").await, 2, "nothing of it reached the workload");
    assert_eq!(cluster.group("gateway").await, theirs, "somebody else's is theirs");

    without_its_definition_nothing_spins(&cluster, &one).await;
}

async fn without_its_definition_nothing_spins(cluster: &Cluster, one: &Address) {
    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.kubectl(&["delete", "crd", "collectorsgroups.odigos.io"]);
    one.until_asked(6).await;
    let entries = cluster.plane.audit().since(mark).expect("the audit log is read");
    let tries = entries.iter().filter(|entry| {
        entry.user.username == OPERATOR && entry.verb == "patch" && entry.request_uri.contains("/collectorsgroups/")
    });
    assert!(tries.count() <= 5, "it waits longer and longer");
    cluster.define();
    cluster.until_proxy(true, TWO_TAKE).await;
}

async fn one_of_two_is_enough(cluster: &Cluster, other: &Address) {
    let before = cluster.until_proxy(true, TWO_TAKE).await;
    let says = |what: &str| format!("1 of 2 addresses take telemetry; {} does not: {what}.", other.socket);
    for (manner, what) in [
        (Manner::Says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), "it answers 503"),
        (Manner::Says("HTTP/1.1 302 Found\r\nLocation: /healthz\r\n\r\n"), "it answers 302"),
        (Manner::Says("\u{1}\u{2}garbage\n\n"), "its answer is no HTTP"),
        (Manner::Says(""), "connection closed without an answer"),
        (Manner::Hangs, "no answer within 2 s"),
    ] {
        other.behave(manner);
        let after = cluster.until_proxy(true, &says(what)).await;
        let since = |group: &Value| group["status"]["conditions"][0]["lastTransitionTime"].clone();
        assert_eq!(since(&after), since(&before), "it was ready all the time");
    }
    other.behave(Manner::Takes);
    cluster.until_proxy(true, TWO_TAKE).await;
}

async fn a_settled_group_is_not_written(cluster: &Cluster, one: &Address) {
    let (before, mark) = (cluster.group(PROXY).await, cluster.plane.audit().mark().expect("a mark"));
    one.until_asked(5).await;
    // A single slow moment between good ones is nothing to write about.
    one.behave(Manner::HangsOnce);
    one.until_asked(4).await;
    assert_eq!(cluster.group(PROXY).await, before);
    let writes: Vec<String> = cluster.operator_writes(mark).iter().map(|entry| entry.request_uri.clone()).collect();
    assert_eq!(writes, Vec::<String>::new());
}

async fn what_others_do_to_it_is_undone(cluster: &Cluster) {
    let before = cluster.group(PROXY).await.expect("the group");
    cluster.delete(&proxy_group()).await;
    let made = cluster.until_proxy(true, TWO_TAKE).await;
    assert_ne!(made["metadata"]["uid"], before["metadata"]["uid"]);

    let patch = json!({ "metadata": { "labels": { "app.kubernetes.io/part-of": null, "team": "payments" } },
        "spec": { "role": "NODE_COLLECTOR" } });
    cluster.merge(&proxy_group(), "", &patch).await;
    until("the group is set back", || async {
        let group = cluster.group(PROXY).await.unwrap_or_default();
        group["spec"]["role"] == "CLUSTER_GATEWAY"
            && group["metadata"]["labels"]["app.kubernetes.io/part-of"] == "epiphyte"
            && group["metadata"]["labels"]["team"] == "payments"
            && group["status"]["conditions"][0]["observedGeneration"] == group["metadata"]["generation"]
    })
    .await;

    let patch = json!({ "status": { "ready": false } });
    cluster.merge(&proxy_group(), "status", &patch).await;
    cluster.until_proxy(true, TWO_TAKE).await;
}
