//! Programs that the injector has no business with, in front of which it stands all the same.

use serde_json::json;

use crate::installed::test;
use crate::support::PYTHON;
use crate::workloads::{container, deployment, with_command};

#[test]
fn odd_programs_run_with_a_device_as_without() {
    test("odd", async |installed, namespace| {
        installed.cluster.namespace(namespace, Some("false")).await;
        let odd = |(name, command): (&str, &[&str])| {
            let mut container = with_command(container(name, "sample-odd"), command);
            // By hand, since nobody would instrument these.
            container["resources"] = json!({ "limits": { PYTHON: "1" } });
            container
        };
        let programs: [(&str, &[&str]); 5] = [
            ("static", &["/odd/c-static"]),
            ("musl", &["/odd/c-musl"]),
            ("static-musl", &["/odd/c-musl-static"]),
            ("rust", &["/odd/rust-static"]),
            ("shell", &["sh", "-c", "echo waiting; rust-static; exit 0"]),
        ];
        installed.apply(namespace, &[deployment("odd", &programs.map(odd))]);
        let pod = installed.pod(namespace, "odd").await;
        for (name, _) in programs {
            let said = installed.cluster.kubectl(&["logs", "-n", namespace, &pod, "-c", name]);
            assert_eq!(said.lines().next(), Some("waiting"), "{name}");
            assert!(!said.contains("preload"), "{name}: {said}");
        }
        let seen = installed.cluster.get("v1", "pods", namespace, &pod).await.expect("the pod");
        for status in seen["status"]["containerStatuses"].as_array().expect("containers") {
            assert_eq!(status["restartCount"], 0, "{status}");
        }
    });
}
