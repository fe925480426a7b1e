//! The manifests in `deploy/` and `examples/services`: true to the code's names, taken by a real API server, and with
//! rights that suffice.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod proxy;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use epiphyte_api::names::{
    LEASE, PART_OF, PART_OF_LABEL, SYSTEM_NAMESPACES, TELEMETRY_PROXY, UNINSTALLING_CONFIG_MAP, WEBHOOK_SECRET,
};
use epiphyte_api::{WorkloadKind, custom_resource_definitions};
use epiphyte_testbed::ControlPlane;
use serde::Deserialize as _;
use serde_json::Value;

use support::{Address, Cluster, JAVA, PROXY, until};

const SYSTEM: &str = "epiphyte-system";
const NODE: &str = "epiphyte-node";
const OPERATOR: &str = "system:serviceaccount:epiphyte-system:epiphyte-operator";
const NODE_AGENT: &str = "system:serviceaccount:epiphyte-node:epiphyte-node-agent";

#[test]
fn every_rule_of_our_groups_names_resources_that_are_defined() {
    let defined: BTreeSet<(String, String)> =
        custom_resource_definitions().into_iter().map(|crd| (crd.spec.group, crd.spec.names.plural)).collect();
    let groups: BTreeSet<&str> = defined.iter().map(|(group, _)| group.as_str()).collect();
    let mut seen = 0;
    for rule in rules() {
        for group in texts(&rule["apiGroups"]).into_iter().filter(|group| groups.contains(group.as_str())) {
            for resource in texts(&rule["resources"]) {
                let plural = resource.split('/').next().unwrap_or_default().to_owned();
                assert!(defined.contains(&(group.clone(), plural)), "{resource}.{group} is defined nowhere");
                seen += 1;
            }
        }
    }
    assert!(seen >= defined.len(), "each resource has a rule");
}

#[test]
fn no_rule_grants_everything_or_the_sight_of_secrets() {
    for rule in rules() {
        for key in ["apiGroups", "resources", "verbs"] {
            assert!(!texts(&rule[key]).contains(&"*".to_owned()), "{rule}");
        }
        if texts(&rule["resources"]).contains(&"secrets".to_owned()) {
            for verb in ["list", "watch", "delete"] {
                assert!(!texts(&rule["verbs"]).contains(&verb.to_owned()), "{rule}");
            }
        }
    }
}

#[test]
fn rules_about_single_objects_have_the_names_that_the_operator_uses() {
    let named: BTreeMap<String, Vec<String>> = rules()
        .iter()
        .filter(|rule| rule.get("resourceNames").is_some())
        .map(|rule| (texts(&rule["resources"]).concat(), texts(&rule["resourceNames"])))
        .collect();
    let expected = [
        ("collectorsgroups", TELEMETRY_PROXY),
        ("collectorsgroups/status", TELEMETRY_PROXY),
        ("configmaps", UNINSTALLING_CONFIG_MAP),
        ("leases", LEASE),
        ("mutatingwebhookconfigurations", "epiphyte"),
        ("namespaces", "kube-system"),
        ("secrets", WEBHOOK_SECRET),
    ];
    assert_eq!(named, expected.map(|(resource, name)| (resource.to_owned(), vec![name.to_owned()])).into());
}

#[test]
fn workloads_that_can_be_instrumented_can_be_watched_and_patched_and_jobs_only_watched() {
    let granted = |kind: WorkloadKind| -> BTreeSet<String> {
        let about = |rule: &&Value| {
            texts(&rule["apiGroups"]).contains(&kind.group().to_owned())
                && texts(&rule["resources"]).contains(&kind.plural().to_owned())
        };
        rules().iter().filter(about).flat_map(|rule| texts(&rule["verbs"])).collect()
    };
    for kind in WorkloadKind::ALL {
        let verbs: &[&str] =
            if kind == WorkloadKind::Job { &["list", "watch"] } else { &["get", "list", "patch", "watch"] };
        assert_eq!(granted(kind), verbs.iter().map(|verb| (*verb).to_owned()).collect(), "{kind:?}");
    }
}

#[test]
fn every_object_says_that_it_is_a_part_so_that_uninstalling_finds_it() {
    let crds = std::fs::read_to_string(repository().join("deploy/crds.yaml")).expect("the definitions");
    let crds = yaml_serde::Deserializer::from_str(&crds).map(|it| Value::deserialize(it).expect("YAML"));
    for object in objects().into_iter().chain(crds) {
        assert_eq!(object["metadata"]["labels"][PART_OF_LABEL], PART_OF, "{} {}", object["kind"], object["metadata"]);
    }
}

#[test]
fn the_webhook_leaves_system_namespaces_and_our_own_alone() {
    let configuration = object("MutatingWebhookConfiguration", "epiphyte");
    let selector = &configuration["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
    let left_alone: BTreeSet<String> = texts(&selector["values"]).into_iter().collect();
    let expected = SYSTEM_NAMESPACES.into_iter().chain([SYSTEM, NODE]).map(str::to_owned).collect();
    assert_eq!(left_alone, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_takes_the_manifests_and_the_operator_works_with_the_rights_that_they_give() {
    let plane = ControlPlane::start().await.expect("a control plane");
    let cluster = Cluster { client: plane.client(), plane };
    let apply = |file: &str| {
        cluster.kubectl(&["apply", "--server-side", "-f", &repository().join(file).display().to_string()]);
    };
    apply("deploy/crds.yaml");
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    cluster.plane.create_node(&support::node("node-1")).await.expect("a node");
    // Before the webhook is there, which nobody can reach in this cluster.
    apply("examples/services/services.yaml");
    apply("deploy/epiphyte.yaml");
    // Applied again, nothing is in anybody's way.
    apply("deploy/epiphyte.yaml");

    // Pod Security lets all of them in.
    for (namespace, pods) in [("market", 4), (SYSTEM, 2), (NODE, 1)] {
        until("every pod is made", || async { cluster.list("v1", "pods", namespace).await.len() == pods }).await;
    }

    let mark = cluster.plane.audit().mark().expect("a mark");
    let settings = cluster.plane.folder().join("settings.yaml");
    let text = object("ConfigMap", "epiphyte-operator")["data"]["settings.yaml"].as_str().expect("settings").to_owned();
    std::fs::write(&settings, text).expect("settings are written");
    let groups = ["system:serviceaccounts", "system:serviceaccounts:epiphyte-system"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command
        .args(["operator", "--namespace", SYSTEM, "--service-account", "epiphyte-operator", "--config"])
        .arg(settings)
        .args(["--admin-listen", &free_address(), "--webhook-listen", &free_address()])
        .env("KUBECONFIG", cluster.plane.user(OPERATOR, &groups).expect("a kubeconfig"));
    let operator = cluster.plane.run("operator", &command).await.expect("the operator starts");

    let log = || std::fs::read_to_string(operator.log()).unwrap_or_default();
    until("the webhook's authority is published", || async {
        assert!(operator.pid().is_some(), "{}", log());
        let version = "admissionregistration.k8s.io/v1";
        let found = cluster.get(version, "mutatingwebhookconfigurations", "", "epiphyte").await.expect("it is there");
        found["webhooks"][0]["clientConfig"].get("caBundle").is_some()
    })
    .await;
    // The telemetry proxy has no pods here: its group is made, and says so, until an address answers for it.
    until("the operator keeps the group of the telemetry proxy", || async {
        let group = cluster.get("odigos.io/v1alpha1", "collectorsgroups", SYSTEM, PROXY).await.unwrap_or_default();
        group["status"]["conditions"][0]["reason"] == "NoProxyAddress"
    })
    .await;
    let Some(address) = Address::open().await else {
        return epiphyte_testbed::skipped("this machine has no address but its loopback");
    };
    cluster.apply(&address.slice("played", SYSTEM)).await;
    // A workload from the mark to the device and back, which takes every right that matters.
    cluster.kubectl(&["annotate", "namespace", "market", "odigos.io/instrument=true"]);
    cluster.answer(WorkloadKind::Deployment, "market", "storefront", &[("storefront", "java")]).await;
    cluster.until_devices(WorkloadKind::Deployment, "market", "storefront", &[("storefront", JAVA)]).await;
    cluster.until_event("market", "storefront", "LumigoAddedInstrumentation").await;
    cluster.kubectl(&["annotate", "namespace", "market", "odigos.io/instrument-"]);
    cluster.until_devices(WorkloadKind::Deployment, "market", "storefront", &[]).await;
    until("the details are deleted", || async {
        cluster.list("odigos.io/v1alpha1", "instrumentedapplications", "market").await.is_empty()
    })
    .await;

    let entries = cluster.plane.audit().since(mark).expect("the audit log");
    let forbidden: Vec<_> = entries
        .iter()
        .filter(|entry| entry.user.username == OPERATOR && entry.response_status.code == 403)
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:?}\n{}", log());
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_operator_nor_the_node_agent_may_do_what_is_not_its_job() {
    let plane = ControlPlane::start().await.expect("a control plane");
    let cluster = Cluster { client: plane.client(), plane };
    for file in ["deploy/crds.yaml", "deploy/epiphyte.yaml"] {
        cluster.kubectl(&["apply", "--server-side", "-f", &repository().join(file).display().to_string()]);
    }
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    let asked = |who: Option<&str>, what: &str| {
        let mut kubectl = cluster.plane.kubectl();
        kubectl.args(["auth", "can-i", "--quiet"]).args(what.split(' ')).args(who.map(|who| format!("--as={who}")));
        kubectl.status().expect("kubectl runs").success()
    };
    let may = |who: &str, what: &str| {
        assert!(asked(None, what), "an administrator may {what}, so that the question is one");
        asked(Some(who), what)
    };
    for what in [
        "list pods",
        "get instrumentedapplications.odigos.io",
        "patch instrumentedapplications.odigos.io",
        "watch configmaps/epiphyte-uninstalling -n epiphyte-system",
        "patch configmaps/epiphyte-uninstalling -n epiphyte-system",
    ] {
        assert!(may(NODE_AGENT, what), "the node agent may {what}");
    }
    for who in [OPERATOR, NODE_AGENT] {
        for what in [
            "list secrets",
            "watch secrets",
            "create pods",
            "create pods --subresource=exec",
            "delete deployments.apps",
            "update deployments.apps",
            "patch nodes",
            "patch configmaps/other -n epiphyte-system",
            "create collectorsgroups.odigos.io/other -n epiphyte-system",
            "patch collectorsgroups.odigos.io/other -n epiphyte-system",
            "delete collectorsgroups.odigos.io/epiphyte-telemetry-proxy -n epiphyte-system",
            "delete configmaps/epiphyte-uninstalling -n epiphyte-system",
            "patch mutatingwebhookconfigurations.admissionregistration.k8s.io/other",
            "escalate clusterroles.rbac.authorization.k8s.io",
        ] {
            assert!(!may(who, what), "{who} must not {what}");
        }
    }
    for what in ["get secrets", "get secret/other -n epiphyte-system", "patch deployments.apps"] {
        assert!(!may(NODE_AGENT, what), "the node agent must not {what}");
    }
    // For the telemetry proxy, which has the account of its pod.
    for what in ["list pods", "watch pods", "list events", "watch namespaces/kube-system", "list replicasets.apps"] {
        assert!(may(OPERATOR, what), "the telemetry proxy may {what}");
    }
    for what in ["get pods/log", "patch pods", "delete pods", "patch events", "delete events", "patch namespaces"] {
        assert!(!may(OPERATOR, what), "the pod's account must not {what}");
    }
}

/// All rules of roles and cluster roles.
fn rules() -> Vec<Value> {
    let roles =
        objects().into_iter().filter(|object| ["ClusterRole", "Role"].iter().any(|kind| object["kind"] == *kind));
    roles.flat_map(|role| role["rules"].as_array().expect("rules").clone()).collect()
}

fn object(kind: &str, name: &str) -> Value {
    let found = objects().into_iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.expect("an object of that kind and name")
}

fn objects() -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join("deploy/epiphyte.yaml")).expect("the manifests");
    let read = |document| Value::deserialize(document).expect("YAML");
    yaml_serde::Deserializer::from_str(&text).map(read).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").to_string()
}
