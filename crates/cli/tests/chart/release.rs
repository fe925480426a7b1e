//! Releases on a real API server: installed, changed, refused, removed.

use serde_json::{Value, json};

use crate::bench::*;
use crate::support::{Cluster, until};

/// The longest name that a release can have.
const LONGEST: &str = "a-release-whose-name-is-as-long-as-helm-lets-one-grow";

const CONFIGURATIONS: &str = "admissionregistration.k8s.io/v1";

/// Whether the API server would let a pod of a template into a namespace.
fn admit(cluster: &Cluster, pod: &Value, namespace: &str) -> Result<String, String> {
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "try", "namespace": namespace }, "spec": pod });
    cluster.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &pod.to_string())
}

/// Some certificate authority, as an operator would write it.
fn authority(cluster: &Cluster) -> Value {
    let kubeconfig = std::fs::read_to_string(cluster.plane.kubeconfig()).expect("the kubeconfig");
    let kubeconfig: Value = yaml_serde::from_str(&kubeconfig).expect("YAML");
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].clone()
}

async fn webhook(cluster: &Cluster) -> Value {
    let found = cluster.get(CONFIGURATIONS, "mutatingwebhookconfigurations", "", "epiphyte").await;
    found.expect("the configuration of the webhook")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_takes_every_object_and_restricted_pod_security_all_but_the_node_agent() {
    let cluster = cluster().await;
    on(&cluster, &["install", LONGEST, &chart(), "--namespace", SYSTEM]).expect("it is installed");
    for arguments in [&[][..], &["--values", &values(ALL)], &["--values", &values(LUMIGO)]] {
        let rendered = render(&[arguments, &["--set", "updater.install=true"]].concat()).expect("it is rendered");
        let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"];
        let applied = cluster.try_kubectl(&apply, &rendered).expect("the API server takes it");
        assert!(!applied.contains("PodSecurity"), "{applied}");

        let objects = objects(&rendered);
        let pods = pods(&objects);
        assert!(pods.len() >= 4, "operator, node agent, updater, and hooks");
        for (object, pod) in pods {
            // Accounts of hooks are there while hooks run; what the account may do is no matter of Pod Security.
            let mut pod = pod.clone();
            pod["serviceAccountName"] = json!("default");
            let name = &object["metadata"]["name"];
            if object["kind"] == "DaemonSet" {
                admit(&cluster, &pod, NODE).expect("its namespace is privileged");
                let refused = admit(&cluster, &pod, SYSTEM).expect_err("it is privileged");
                assert!(refused.contains("violates PodSecurity"), "{refused}");
            } else {
                admit(&cluster, &pod, SYSTEM).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    // Not only templates: the pods are there.
    for (namespace, pods) in [(SYSTEM, 2), (NODE, 1)] {
        until("every pod is made", || async { cluster.list("v1", "pods", namespace).await.len() == pods }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_changes_what_it_is_to_and_leaves_the_webhooks_authority() {
    let cluster = cluster().await;
    let notes = on(&cluster, &["install", "first", &chart(), "--namespace", SYSTEM]).expect("it is installed");
    assert!(notes.contains("helm uninstall first --namespace epiphyte-system"), "{notes}");
    let bundle = authority(&cluster);
    let patch = json!([{ "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle }]).to_string();
    cluster.kubectl(&["patch", "mutatingwebhookconfiguration", "epiphyte", "--type=json", "-p", &patch]);
    let before = webhook(&cluster).await;

    let upgrade = |arguments: &[&str]| {
        let fixed = ["upgrade", "first", &chart(), "--namespace", SYSTEM, "--reset-then-reuse-values"];
        on(&cluster, &[&fixed[..], arguments].concat()).expect("it is upgraded")
    };
    upgrade(&[]);
    assert_eq!(webhook(&cluster).await["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let deployment =
        async || cluster.get("apps/v1", "deployments", SYSTEM, "epiphyte-operator").await.expect("it is there");
    assert_eq!(deployment().await["metadata"]["generation"], 1, "the same values change nothing");

    upgrade(&["--set", "operator.settings.ignoredNamespaces={sandbox},cluster.name=production,crds.keep=true"]);
    let after = webhook(&cluster).await;
    assert_eq!(after["webhooks"][0]["clientConfig"]["caBundle"], bundle);
    let left_alone = &after["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"];
    assert!(left_alone.as_array().expect("names").contains(&json!("sandbox")), "{left_alone}");
    // What the telemetry proxy reads at its start has changed: its pods are replaced.
    assert_eq!(deployment().await["metadata"]["generation"], 2);

    upgrade(&["--values", &values(ALL), "--set", "updater.enabled=false"]);
    assert_eq!(deployment().await["spec"]["replicas"], 3);
    on(&cluster, &["rollback", "first", "1", "--namespace", SYSTEM]).expect("it is rolled back");
    assert_eq!(deployment().await["spec"]["replicas"], 2);
    assert_eq!(webhook(&cluster).await["webhooks"][0]["clientConfig"]["caBundle"], bundle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_is_refused_with_the_name_of_the_first_whatever_its_own() {
    let cluster = cluster().await;
    on(&cluster, &["install", "first", &chart(), "--namespace", SYSTEM]).expect("it is installed");
    for (name, namespace) in [("second", SYSTEM), ("second", "elsewhere"), ("first", "elsewhere")] {
        let apart = ["--create-namespace", "--set", "nodeAgent.namespace.name=elsewhere-node"];
        let chart = chart();
        let install = [&["install", name, &chart, "--namespace", namespace], &apart[..]].concat();
        let refused = on(&cluster, &install).expect_err("there is one");
        let says =
            refused.contains("current value is \"first\"") || refused.contains("current value is \"epiphyte-system\"");
        assert!(says || refused.contains("cannot re-use a name"), "{refused}");
        assert!(cluster.get("v1", "namespaces", "", "elsewhere-node").await.is_none(), "nothing of it was made");
    }
    assert_eq!(
        objects_of(&on(&cluster, &["list", "--all-namespaces", "--all", "-o", "json"]).expect("a list")),
        ["first"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_installed_without_helm_is_taken_over_only_where_that_is_asked_for() {
    let cluster = cluster().await;
    for file in ["deploy/crds.yaml", "deploy/epiphyte.yaml"] {
        cluster.kubectl(&["apply", "--server-side", "-f", &repository().join(file).display().to_string()]);
    }
    let operator =
        async || cluster.get("apps/v1", "deployments", SYSTEM, "epiphyte-operator").await.expect("it is there");
    let before = operator().await;
    let chart = chart();
    let install = ["install", "first", &chart, "--namespace", SYSTEM, "--set", "images.tag=dev"];
    let refused = on(&cluster, &install).expect_err("it belongs to no release");
    assert!(refused.contains("missing key \"app.kubernetes.io/managed-by\""), "{refused}");
    on(&cluster, &[&install[..], &["--take-ownership"]].concat()).expect("it is taken over");
    let after = operator().await;
    assert_eq!(after["metadata"]["annotations"]["meta.helm.sh/release-name"], "first");
    assert_eq!(after["spec"]["template"], before["spec"]["template"], "no pod is replaced for it");
}

fn objects_of(list: &str) -> Vec<String> {
    let releases: Vec<Value> = serde_json::from_str(list).expect("JSON");
    releases.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_removed_without_its_hook_leaves_what_the_audit_names() {
    let cluster = cluster().await;
    on(&cluster, &["install", "first", &chart(), "--namespace", SYSTEM]).expect("it is installed");
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    cluster.namespace("shop", None).await;
    // Instrumented, and nobody there any more who would take it off.
    let mut cart = crate::support::idle(crate::support::deployment("shop", "cart"));
    cart["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "limits": { crate::support::JAVA: "1" } });
    cluster.apply(&cart).await;
    let mut lumigo = crate::support::lumigo_object("shop", "lumigo");
    lumigo["metadata"]["finalizers"] = json!(["operator.lumigo.io/lumigo-finalizer"]);
    cluster.apply(&lumigo).await;
    on(&cluster, &["uninstall", "first", "--namespace", SYSTEM, "--no-hooks"]).expect("Helm has removed it");

    let (status, found) = audit(&cluster);
    assert_eq!(status, Some(1), "{found:#}");
    let left = leftovers(&found);
    assert!(
        left.contains(&"Deployment shop/cart".to_owned()) && left.contains(&"Lumigo shop/lumigo".to_owned()),
        "{left:?}"
    );
    // The documented way out.
    let output = program(&cluster).args(["operator", "--uninstall", "--namespace", SYSTEM]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    until("nothing is left", || async { audit(&cluster).0 == Some(0) }).await;
}
