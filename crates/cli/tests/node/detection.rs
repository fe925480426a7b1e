//! What runs in containers, found out on a node.

use epiphyte_api::{WorkloadKind, instrumented_application_name};
use serde_json::Value;

use crate::installed::{Installed, test};
use crate::support::eventually;
use crate::workloads::{container, deployment, service, with_command};

/// The entries of a Deployment's details, once they are there: container, language, libc, version.
async fn details(installed: &Installed, namespace: &str, name: &str) -> Vec<[String; 4]> {
    let object = instrumented_application_name(WorkloadKind::Deployment, name);
    let languages = eventually(&format!("details of {namespace}/{name}"), || async {
        let found = installed.cluster.get("odigos.io/v1alpha1", "instrumentedapplications", namespace, &object).await?;
        found["spec"]["languages"].as_array().filter(|languages| !languages.is_empty()).cloned()
    })
    .await;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    languages
        .iter()
        .map(|entry| ["containerName", "language", "libc", "runtimeVersion"].map(|key| text(entry, key)))
        .collect()
}

#[test]
fn each_language_is_found_with_version_and_libc() {
    test("detect-languages", async |installed, namespace| {
        installed.cluster.namespace(namespace, Some("false")).await;
        let services = [
            ("java", "sample-java", "java", "glibc", "17."),
            ("python", "sample-python", "python", "glibc", "3.11."),
            ("node", "sample-node", "javascript", "glibc", "18."),
            // Go needs no C library and says its compiler's version.
            ("go", "sample-go", "go", "", "1."),
        ];
        let objects: Vec<Value> = services.iter().map(|(name, image, ..)| service(name, image)).collect();
        installed.apply(namespace, &objects);
        installed.cluster.kubectl(&["annotate", "--overwrite", "namespace", namespace, "odigos.io/instrument=true"]);
        for (name, _, language, libc, version) in services {
            let found = details(installed, namespace, name).await;
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0][..3], ["app", language, libc].map(str::to_owned), "{found:?}");
            assert!(found[0][3].starts_with(version), "{found:?}");
        }
    });
}

#[test]
fn programs_of_every_make_are_told_apart() {
    test("detect-odd", async |installed, namespace| {
        installed.cluster.namespace(namespace, Some("true")).await;
        let odd = |name: &str, command: &[&str]| with_command(container(name, "sample-odd"), command);
        installed.apply(
            namespace,
            &[
                deployment(
                    "odd",
                    &[
                        odd("static", &["/odd/c-static"]),
                        odd("musl", &["/odd/c-musl"]),
                        odd("static-musl", &["/odd/c-musl-static"]),
                        odd("rust", &["/odd/rust-static"]),
                        // The shell stays the first process, with the program behind it.
                        odd("wrapped", &["sh", "-c", "rust-static; exit 0"]),
                    ],
                ),
                deployment(
                    "two",
                    &[
                        container("page", "sample-python"),
                        with_command(
                            container("prices", "sample-node"),
                            &["node", "-e", "setInterval(() => {}, 1000)"],
                        ),
                    ],
                ),
            ],
        );
        let found = details(installed, namespace, "odd").await;
        let short: Vec<_> = found.iter().map(|it| [&*it[0], &*it[1], &*it[2]]).collect();
        let expected = [
            ["musl", "cplusplus", "musl"],
            ["rust", "rust", ""],
            ["static", "cplusplus", ""],
            ["static-musl", "cplusplus", ""],
            ["wrapped", "rust", ""],
        ];
        let mut sorted = short.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{found:?}");

        let found = details(installed, namespace, "two").await;
        let short: Vec<_> = found.iter().map(|it| [&*it[0], &*it[1], &*it[2]]).collect();
        assert_eq!(short, [["page", "python", "glibc"], ["prices", "javascript", "glibc"]], "{found:?}");
    });
}

#[test]
fn what_is_instrumented_already_is_found_as_what_it_was() {
    test("detect-again", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("python", "sample-python")]);
        installed.mark(namespace, &["python"]).await;
        let before = details(installed, namespace, "python").await;
        // Deleted by hand, it comes back, and is answered by a look at the pod that we have instrumented.
        let object = instrumented_application_name(WorkloadKind::Deployment, "python");
        installed.cluster.kubectl(&["delete", "-n", namespace, "instrumentedapplication", &object]);
        let after = details(installed, namespace, "python").await;
        assert_eq!(after, before);
        let object = installed
            .cluster
            .get("odigos.io/v1alpha1", "instrumentedapplications", namespace, &object)
            .await
            .expect("it");
        for key in ["otherAgent", "preload"] {
            assert!(object["spec"]["languages"][0].get(key).is_none(), "{object}");
        }
        let devices = installed.cluster.devices(WorkloadKind::Deployment, namespace, "python").await;
        assert_eq!(devices.len(), 1, "{devices:?}");
        assert_eq!(
            installed.cluster.list("apps/v1", "replicasets", namespace).await.len(),
            2,
            "one rollout, by the mark"
        );
    });
}
