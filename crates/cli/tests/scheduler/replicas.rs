//! Operators come and go: whoever leads next carries on with what the status says.

use epiphyte_api::WorkloadKind::Deployment;

use crate::support::*;
use crate::{addresses, cluster, instrumented, scheduling};

/// The user that the second operator is.
const OTHER: &str = "epiphyte-operator-2";

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_restart_nor_another_leader_flaps_the_group() {
    let Some([up, mut down]) = addresses().await else { return };
    down.close().await;
    let cluster = cluster().await;
    cluster.publish("up", &up).await;
    cluster.publish("down", &down).await;
    let first = cluster.operator(&scheduling(OPERATOR)).await;
    let message = format!("1 of 2 addresses take telemetry; {} does not: connection refused.", down.socket);
    let settled = cluster.until_proxy(true, &message).await;
    instrumented(&cluster, "shop", "cart").await;
    let assert_settled = async |after: &str| {
        up.until_asked(4).await;
        assert_eq!(cluster.group(PROXY).await.as_ref(), Some(&settled), "after {after}");
    };

    let second = Operator::start(&cluster.plane, &scheduling(OTHER));
    until("the second operator is ready", || async { second.is_ready() }).await;
    assert_settled("a second operator came").await;
    assert_eq!(second.metric("epiphyte_proxy_addresses", &[]), 0.0, "only the leader asks");

    first.kill();
    until("the second operator leads", || async { second.leads() }).await;
    assert_settled("the leader died").await;

    assert!(second.stop());
    let asked = up.asked();
    let third = cluster.operator(&scheduling(OPERATOR)).await;
    assert_settled("a restart").await;
    assert!(up.asked() > asked);
    assert_eq!(cluster.generation(Deployment, "shop", "cart").await, 2);

    // What happened while nobody looked is found out.
    assert!(third.stop());
    up.behave(Manner::Says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
    let _fourth = cluster.operator(&scheduling(OPERATOR)).await;
    until("the group is not ready", || async {
        cluster.group(PROXY).await.is_some_and(|group| group["status"]["ready"] == false)
    })
    .await;
}
