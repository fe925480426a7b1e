//! All addresses are down: the third condition is lost, and what the grace period keeps.

use std::process::Command;

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::Value;

use crate::support::*;
use crate::{SCHEDULING, addresses, cluster, instrumented};

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_every_address_is_the_loss_of_the_third_condition() {
    let Some([mut one, mut other]) = addresses().await else { return };
    let cluster = cluster().await;
    let operator =
        cluster.operator(&OperatorOptions { settings: SCHEDULING.to_owned(), ..OperatorOptions::default() }).await;
    cluster.publish("a", &one).await;
    cluster.publish("b", &other).await;
    let ready = cluster.until_proxy(true, crate::TWO_TAKE).await;
    instrumented(&cluster, "shop", "cart").await;

    one.close().await;
    other.close().await;
    let mut names = [one.socket.to_string(), other.socket.to_string()];
    names.sort();
    let refused = names.map(|address| format!("; {address} does not: connection refused")).concat();
    let lost = cluster.until_proxy(false, &format!("0 of 2 addresses take telemetry{refused}.")).await;
    let condition = |group: &Value| group["status"]["conditions"][0].clone();
    assert_eq!(condition(&lost)["reason"], "TelemetryNotTaken");
    assert!(condition(&lost)["lastTransitionTime"].as_str() > condition(&ready)["lastTransitionTime"].as_str());
    cluster.until_reason(Deployment, "shop", "cart", "CollectorsReady", "CollectorsGracePeriod").await;

    people_are_told(&cluster, &lost);
    admission_goes_on(&cluster).await;
    back_within_the_grace_period_nothing_was_written(&cluster, &mut one).await;
    devices_go_when_it_is_over_and_come_back(&cluster, &operator, &mut one).await;
}

/// What the group says, and how long devices stay yet.
fn people_are_told(cluster: &Cluster, lost: &Value) {
    let message = lost["status"]["conditions"][0]["message"].as_str().expect("a message");
    let settings = cluster.plane.folder().join("status.yaml");
    std::fs::write(&settings, SCHEDULING).expect("settings are written");
    for question in [&["status"][..], &["explain", "deployment/cart", "--namespace", "shop"]] {
        let ask = |format: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
            command.args(question).args(["-o", format, "--config"]).arg(&settings);
            let output = command.env("KUBECONFIG", cluster.plane.kubeconfig()).output().expect("it runs");
            String::from_utf8(output.stdout).expect("text")
        };
        let page = ask("text");
        for told in
            ["CollectorsGracePeriod", &format!("{PROXY} is not ready since 2"), message, "Devices are taken off in "]
        {
            assert!(page.contains(told), "{told} is not in:\n{page}");
        }
        let collectors = serde_json::from_str::<Value>(&ask("json")).expect("JSON")["collectors"].clone();
        assert_eq!(collectors["groups"][0]["message"], message, "{collectors:#}");
        assert_eq!(collectors["groups"][0]["ready"], false);
        assert!(collectors["graceOverAt"].is_string(), "{collectors:#}");
    }
}

async fn admission_goes_on(cluster: &Cluster) {
    cluster.apply(&labelled(idle(deployment("shop", "mail")), "true")).await;
    let mail = cluster.workload(Deployment, "shop", "mail").await;
    let init = mail.pointer("/spec/template/spec/initContainers/0/name");
    assert_eq!(init.and_then(Value::as_str), Some("lumigo-injector"), "injected when created");
}

async fn back_within_the_grace_period_nothing_was_written(cluster: &Cluster, one: &mut Address) {
    let before = cluster.workload(Deployment, "shop", "cart").await;
    cluster.until_devices(Deployment, "shop", "cart", &[("app", JAVA)]).await;
    one.reopen().await;
    until("the group is ready again", || async {
        cluster.group(PROXY).await.is_some_and(|group| group["status"]["ready"] == true)
    })
    .await;
    cluster.until_reason(Deployment, "shop", "cart", "CollectorsReady", "CollectorsReady").await;
    let after = cluster.workload(Deployment, "shop", "cart").await;
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

async fn devices_go_when_it_is_over_and_come_back(cluster: &Cluster, operator: &Operator, one: &mut Address) {
    operator.reconfigure("scheduler: {enabled: true}\ncollectors: {unreadyGracePeriod: 3s}\n");
    until("the settings are taken over", || async { operator.log().contains("took over changed settings") }).await;
    one.close().await;
    cluster.until_devices(Deployment, "shop", "cart", &[]).await;
    cluster.until_reason(Deployment, "shop", "cart", "CollectorsReady", "CollectorsNotReady").await;
    assert_eq!(cluster.generation(Deployment, "shop", "cart").await, 3);
    one.reopen().await;
    cluster.until_devices(Deployment, "shop", "cart", &[("app", JAVA)]).await;
    assert_eq!(cluster.generation(Deployment, "shop", "cart").await, 4);
}
