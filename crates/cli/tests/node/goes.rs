//! A whole installation goes by one command, and nothing is left of it: not in the cluster, not in a pod, not on the node.

use std::process::Command;

use serde_json::Value;

use crate::installed::test_apart;
use crate::support::{Cluster, TOKEN, annotated, eventually, lumigo_object, token_secret, until};
use crate::workloads::service;

/// Whether a pod has anything of ours.
fn has_trace(pod: &Value) -> bool {
    let text = pod["spec"].to_string();
    ["instrumentation.odigos.io/", "lumigo-injector", "LUMIGO_"].iter().any(|word| text.contains(word))
}

/// The only pod of an application that is not on its way out, once it is ready and has something of ours or not.
async fn pod(cluster: &Cluster, namespace: &str, instrumented: bool) -> Value {
    eventually(&format!("one pod in {namespace}, instrumented: {instrumented}"), || async {
        let mut pods = cluster.list("v1", "pods", namespace).await;
        pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        let [pod] = pods.as_slice() else { return None };
        let conditions = pod["status"]["conditions"].as_array()?;
        let ready = conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
        (ready && has_trace(pod) == instrumented).then(|| pod.clone())
    })
    .await
}

fn epiphyte(cluster: &Cluster, arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    let output = command.args(arguments).env("KUBECONFIG", cluster.plane.kubeconfig()).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_whole_installation_goes_and_nothing_is_left_of_it() {
    test_apart("", async |cluster| {
        for namespace in ["by-device", "by-lumigo"] {
            cluster.namespace(namespace, None).await;
            let mut python = service("python", "sample-python");
            if namespace == "by-device" {
                python = annotated(python, "true");
            }
            cluster.kubectl_with(&["apply", "-n", namespace, "-f", "-"], &python);
        }
        cluster.apply(&token_secret("by-lumigo", TOKEN)).await;
        cluster.apply(&lumigo_object("by-lumigo", "lumigo")).await;
        let before = [pod(cluster, "by-device", true).await, pod(cluster, "by-lumigo", true).await];
        // What the box has at this path is the host's.
        let host = cluster.plane.folder().join("root/var/lib/epiphyte");
        assert!(host.join("agents").exists());

        // The namespace of the operator is found by itself.
        let (done, page, progress) = epiphyte(cluster, &["operator", "--uninstall", "--timeout", "4m"]);
        assert!(done && page.contains("nothing left"), "{page}\n{progress}");
        let (clean, page, _) = epiphyte(cluster, &["audit"]);
        assert!(clean && page.contains("nothing left"), "{page}");

        for (namespace, before) in ["by-device", "by-lumigo"].into_iter().zip(before) {
            let after = pod(cluster, namespace, false).await;
            assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
        }
        assert!(!host.exists(), "the host folder is left: {:?}", std::fs::read_dir(&host));
        let plugins = std::fs::read_dir(cluster.plane.folder().join("root/var/lib/kubelet/device-plugins"));
        let names: Vec<_> = plugins.expect("the folder").flatten().map(|file| file.file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("epiphyte-")), "{names:?}");
        for namespace in ["epiphyte-system", "epiphyte-node"] {
            until(&format!("{namespace} is gone"), || async {
                cluster.get("v1", "namespaces", "", namespace).await.is_none()
            })
            .await;
        }
    });
}
