//! What runs goes on while parts of the system go and come.

use std::time::{Duration, Instant};

use epiphyte_api::{Device, WorkloadKind};
use epiphyte_testbed::{Component, image};
use serde_json::{Value, json};

use crate::installed::{AGENT, Installed, NODE, test_alone};
use crate::support::{PYTHON, eventually, until};
use crate::workloads::service;

/// The node agent, for kubectl.
const DAEMON_SET: &str = "daemonset/epiphyte-node-agent";

/// Waits for every node agent that is to be there.
const ROLLED_OUT: &[&str] = &["rollout", "status", "-n", AGENT, DAEMON_SET, "--timeout=120s"];

/// How often a device is offered by the node, as the API server knows it.
async fn offered(installed: &Installed, device: Device) -> u32 {
    let node = installed.cluster.get("v1", "nodes", "", NODE).await.expect("the node");
    let quantity =
        node["status"]["allocatable"].get(device.resource()).and_then(Value::as_str).unwrap_or("0").to_owned();
    quantity.parse().expect("a number")
}

async fn until_offered(installed: &Installed) {
    until("every device is offered", || async {
        let mut all = true;
        for device in Device::ALL {
            all &= offered(installed, device).await > 0;
        }
        all
    })
    .await;
}

/// How often the container of a Deployment's pod has started again.
async fn restarts(installed: &Installed, namespace: &str, pod: &str) -> u64 {
    let pod = installed.cluster.get("v1", "pods", namespace, pod).await.expect("the pod");
    pod["status"]["containerStatuses"][0]["restartCount"].as_u64().expect("a count")
}

/// Replaces the pod of a Deployment; gives the name of the new one, which runs.
async fn replaced(installed: &Installed, namespace: &str, name: &str) -> String {
    installed.cluster.kubectl(&["rollout", "restart", "-n", namespace, &format!("deployment/{name}")]);
    installed.rolled_out(namespace, name);
    installed.pod(namespace, name).await
}

#[test]
fn a_restarted_kubelet_gets_its_devices_back_and_leaves_what_runs_alone() {
    test_alone("kubelet", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("python", "sample-python")]);
        installed.mark(namespace, &["python"]).await;
        let pod = installed.pod(namespace, "python").await;
        installed.cluster.plane.restart(Component::Kubelet).await.expect("a kubelet");
        until_offered(installed).await;
        assert_eq!(restarts(installed, namespace, &pod).await, 0);
        assert_eq!(installed.pod(namespace, "python").await, pod);
        let next = replaced(installed, namespace, "python").await;
        installed.span_of(namespace, &next, "app");
    });
}

#[test]
fn containers_start_again_while_there_is_no_agent_and_new_pods_do_when_there_is_one() {
    test_alone("no-agent", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("python", "sample-python")]);
        installed.mark(namespace, &["python"]).await;
        let pod = installed.pod(namespace, "python").await;

        let agent_again = installed.restoration(&[
            &[
                "patch",
                "-n",
                AGENT,
                DAEMON_SET,
                "--type=merge",
                r#"-p={"spec":{"template":{"spec":{"nodeSelector":{"nowhere":null}}}}}"#,
            ],
            ROLLED_OUT,
        ]);
        let nowhere = json!({ "spec": { "template": { "spec": { "nodeSelector": { "nowhere": "yes" } } } } });
        let nowhere = format!("-p={nowhere}");
        installed.cluster.kubectl(&["patch", "-n", AGENT, DAEMON_SET, "--type=merge", &nowhere]);
        until("the agent is gone", || async { installed.cluster.list("v1", "pods", AGENT).await.is_empty() }).await;
        // Its own first process; it ends on request, and whatever else is in the container ends with it: this program too,
        // unless it is quicker.
        installed.try_exec(namespace, "python", &["python3", "-c", "import os; os.kill(1, 15)"]).await;
        until("the container has started again", || async { restarts(installed, namespace, &pod).await == 1 }).await;
        let is_ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
        until("the container is ready", || async {
            is_ready(&installed.cluster.get("v1", "pods", namespace, &pod).await.expect("the pod"))
        })
        .await;
        let loaded = "import sys; print('opentelemetry' in sys.modules)";
        assert_eq!(installed.exec(namespace, "python", &["python3", "-c", loaded]).await.trim(), "True");

        drop(agent_again);
        until_offered(installed).await;
        let next = replaced(installed, namespace, "python").await;
        installed.span_of(namespace, &next, "app");
    });
}

#[test]
fn an_upgrade_of_the_agent_keeps_the_offer_and_the_files_of_what_runs() {
    test_alone("upgrade", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("java", "sample-java"), service("python", "sample-python")]);
        installed.mark(namespace, &["java", "python"]).await;
        let (java, python) = (installed.pod(namespace, "java").await, installed.pod(namespace, "python").await);
        installed.span_of(namespace, &java, "app");

        // The same agent with one file more, which is another content.
        let images = image::folder().expect("the images");
        let next = installed.cluster.plane.folder().join("next.tar");
        let name = "docker.io/epiphyte/node-agent:next";
        image::with_file(&images.join("node-agent.tar"), &next, name, "/agents/python/next", b"next")
            .expect("an image");
        installed.cluster.plane.load_image(&next).await.expect("load");
        let _as_it_was = installed.restoration(&[
            &["set", "image", "-n", AGENT, DAEMON_SET, "node-agent=epiphyte/node-agent:dev"],
            ROLLED_OUT,
        ]);
        let set = "node-agent=epiphyte/node-agent:next";
        installed.cluster.kubectl(&["set", "image", "-n", AGENT, DAEMON_SET, set]);

        let rollout = async || {
            let status = ["rollout", "status", "-n", AGENT, DAEMON_SET, "--watch=false"];
            installed.cluster.kubectl(&status).contains("successfully rolled out")
        };
        // Until some time after, since the offer would go with the end of the old one.
        let (mut done, mut without, mut longest) = (None::<Instant>, None::<Instant>, Duration::ZERO);
        while done.is_none_or(|done| done.elapsed() < Duration::from_secs(5)) {
            match offered(installed, Device::Java).await {
                0 => longest = longest.max(without.get_or_insert_with(Instant::now).elapsed()),
                _ => without = None,
            }
            if done.is_none() && rollout().await {
                done = Some(Instant::now());
            }
        }
        // The kubelet tells once a second, so that what lasts a moment can be seen for a second.
        assert!(longest < Duration::from_secs(2), "no device was on offer for {longest:?}");

        let has_next = "import os; print(os.path.exists('/var/odigos/python/next'))";
        let ask = ["python3", "-c", has_next];
        assert_eq!(
            installed.exec(namespace, "python", &ask).await.trim(),
            "False",
            "files never change below a program"
        );
        for (name, pod) in [("java", &java), ("python", &python)] {
            assert_eq!(&installed.pod(namespace, name).await, pod);
            assert_eq!(restarts(installed, namespace, pod).await, 0);
        }
        // A Java process that starts now in the old container finds all it needs.
        let version = installed.exec(namespace, "java", &["java", "-version"]).await;
        assert!(version.contains("-javaagent:"), "{version}");

        let renewed = replaced(installed, namespace, "python").await;
        assert_eq!(installed.exec(namespace, "python", &ask).await.trim(), "True", "new pods get the new files");
        installed.span_of(namespace, &renewed, "app");
    });
}

#[test]
fn a_node_without_an_agent_is_a_reason_and_no_pod_waits_because_of_us() {
    test_alone("two-nodes", async |installed, namespace| {
        let cluster = &installed.cluster;
        cluster.namespace(namespace, None).await;
        // On every node, and one of them has nothing to offer.
        let mut everywhere = service("everywhere", "sample-python");
        everywhere["kind"] = json!("DaemonSet");
        installed.apply(namespace, &[everywhere, service("somewhere", "sample-python")]);
        let one_node = installed.restoration(&[
            &["delete", "node", "node-b", "--ignore-not-found"],
            // Nobody ends there what was never started.
            &["delete", "pods", "--all-namespaces", "--field-selector=spec.nodeName=node-b", "--force"],
        ]);
        let bare = epiphyte_testbed::FakeNode::new("node-b");
        cluster.plane.create_node(&bare).await.expect("a node");
        cluster.kubectl(&["annotate", "namespace", namespace, "odigos.io/instrument=true"]);
        let told = cluster.until_reason(
            WorkloadKind::DaemonSet,
            namespace,
            "everywhere",
            "Instrumented",
            "NoNodeOffersDevice",
        );
        told.await;
        // What can go to the node that has it goes there.
        cluster.until_devices(WorkloadKind::Deployment, namespace, "somewhere", &[("app", PYTHON)]).await;
        installed.rolled_out(namespace, "somewhere");
        drop(one_node);
        cluster.until_devices(WorkloadKind::DaemonSet, namespace, "everywhere", &[("app", PYTHON)]).await;
    });
}

#[test]
fn pods_that_a_node_admits_before_its_agent_after_a_reboot_are_replaced() {
    test_alone("reboot", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("python", "sample-python")]);
        installed.mark(namespace, &["python"]).await;
        let pod = installed.pod(namespace, "python").await;
        installed.cluster.plane.reboot().await.expect("a node");
        let next = eventually("a pod that came up after the reboot", || async {
            let pods = installed.cluster.list("v1", "pods", namespace).await;
            let is_new = |it: &&Value| {
                let status = &it["status"]["containerStatuses"][0];
                let is_other = it["metadata"]["name"] != *pod || status["restartCount"].as_u64() > Some(0);
                status["ready"] == true && is_other && it["metadata"].get("deletionTimestamp").is_none()
            };
            pods.iter().find(is_new)?["metadata"]["name"].as_str().map(str::to_owned)
        })
        .await;
        installed.span_of(namespace, &next, "app");
        // Refused by the kubelet, because there was no device yet; not left to wait, and not started without.
        let refused = installed.cluster.get("v1", "pods", namespace, &pod).await.filter(|_| next != pod);
        if let Some(refused) = refused {
            assert_eq!(refused["status"]["reason"], "UnexpectedAdmissionError", "{}", refused["status"]);
        }
    });
}
