//! Where the scheduler has nothing to say: switched off, and while Epiphyte is uninstalled.

use std::process::Command;

use serde_json::Value;

use crate::support::*;
use crate::{ONE_TAKES, addresses, cluster, instrumented, scheduling};

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_is_off_asks_nobody_and_writes_nothing() {
    let Some([one]) = addresses().await else { return };
    let cluster = cluster().await;
    cluster.publish("a", &one).await;
    cluster.collectors("gateway", Ready::Yes).await;
    let options =
        OperatorOptions { settings: "scheduler: {enabled: false}\n".to_owned(), ..OperatorOptions::default() };
    let operator = cluster.operator(&options).await;
    instrumented(&cluster, "shop", "cart").await;
    assert_eq!((cluster.group(PROXY).await, one.asked()), (None, 0));

    operator.reconfigure("scheduler: {enabled: true}\n");
    cluster.until_proxy(true, ONE_TAKES).await;

    // Off again: what is there stays as it is, and what somebody does to it too.
    operator.reconfigure("scheduler: {enabled: false}\n");
    until("the scheduler is off", || async { operator.metric("epiphyte_proxy_addresses", &[]) == 0.0 }).await;
    let asked = one.asked();
    one.behave(Manner::Says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
    instrumented(&cluster, "shop", "mail").await;
    cluster.until_proxy(true, ONE_TAKES).await;
    cluster.delete(&proxy_group()).await;
    instrumented(&cluster, "shop", "post").await;
    assert_eq!((cluster.group(PROXY).await, one.asked()), (None, asked));
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalling_takes_the_group_away_for_good() {
    let Some([one]) = addresses().await else { return };
    let cluster = cluster().await;
    cluster.publish("a", &one).await;
    let operator = cluster.operator(&scheduling(OPERATOR)).await;
    cluster.until_proxy(true, ONE_TAKES).await;
    instrumented(&cluster, "shop", "cart").await;
    // The node agents go, and the kubelet forgets their devices.
    cluster.plane.update_node(&epiphyte_testbed::FakeNode::new("node-1")).await.expect("the node is written");

    let output = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["operator", "--uninstall", "--namespace", SYSTEM, "--keep-crds", "-o", "json"])
        .env("KUBECONFIG", cluster.plane.user("person", &["system:masters"]).expect("a kubeconfig"))
        .output()
        .expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["outcome"], "uninstalled", "{report:#}");
    let removed = report["removed"].as_array().expect("what was removed");
    assert!(removed.contains(&format!("CollectorsGroup {SYSTEM}/{PROXY}").into()), "{report:#}");

    // The definitions are still there, and so is the operator, which does nothing any more.
    let (asked, mark) = (one.asked(), cluster.plane.audit().mark().expect("a mark"));
    assert!(operator.is_ready() && !operator.leads());
    cluster.apply(&annotated(idle(deployment("shop", "late")), "true")).await;
    assert_eq!((cluster.group(PROXY).await, one.asked()), (None, asked));
    assert_eq!(cluster.operator_writes(mark).len(), 0);
    assert!(operator.stop());
}
