//! The agent leaves its host when Epiphyte is uninstalled, and comes back when that is called off.

use std::fs;

use epiphyte_api::Device;
use serde_json::{Value, json};

use crate::SHARED;
use crate::agent::Node;
use crate::support::*;

/// Files of ours among the kubelet's plugins.
fn sockets(node: &Node) -> usize {
    let files = fs::read_dir(node.kubelet.folder().join("device-plugins")).expect("the folder is there");
    files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with("epiphyte-")).count()
}

async fn said(cluster: &Cluster, namespace: &str, node: &Node) -> Option<String> {
    let mark = cluster.get("v1", "configmaps", namespace, "epiphyte-uninstalling").await?;
    Some(mark.get("data")?.get(&node.name)?.as_str()?.to_owned())
}

#[test]
fn a_host_is_left_once_no_container_has_a_device_and_taken_again_when_that_is_called_off() {
    SHARED.run(async |cluster| {
        // A system namespace of its own: the operator is not to hear of it.
        let system = "leaving-system";
        cluster.namespace(system, None).await;
        let node = Node::new(cluster, "leaves").await;
        let start = || {
            let admin = Admin::free();
            let mut command = node.command(&admin);
            command.args(["--system-namespace", system]);
            node.run(command, admin)
        };
        let offers = || Device::ALL.iter().all(|device| node.kubelet.devices(device.resource()) == (3, 3));
        let mut agent = start();
        agent.until_ready().await;
        until("all devices are offered", || async { offers() }).await;
        node.kubelet.allocate(JAVA, &["java-0"]).await;
        node.kubelet.has(("shop", "cart-1", "app"), JAVA, "java-0");

        let name = json!({ "name": "epiphyte-uninstalling", "namespace": system });
        let mark: Value = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": name });
        cluster.create(&mark).await;
        until("it knows", || async { agent.log().contains("Epiphyte is being uninstalled") }).await;
        assert!(offers() && node.host().join("agents").exists(), "a container still has a device");

        node.kubelet.forget_pods();
        until("it has left", || async { said(cluster, system, &node).await.as_deref() == Some("clean") }).await;
        assert!(!node.host().exists());
        assert_eq!(sockets(&node), 0);
        assert!(Device::ALL.iter().all(|device| node.kubelet.devices(device.resource()) == (0, 0)));
        assert!(agent.admin.get("/healthz").is_some_and(|(healthy, _)| healthy), "it is not to be started again");

        let object =
            Object { api_version: "v1", plural: "configmaps", namespace: system, name: "epiphyte-uninstalling" };
        cluster.delete(&object).await;
        assert!(agent.ends(), "it ends, for whoever runs it to start it anew");
        let agent = start();
        agent.until_ready().await;
        until("all devices are offered again", || async { offers() }).await;
        assert!(node.host().join("agents").exists());
        assert!(agent.stop());
    });
}
