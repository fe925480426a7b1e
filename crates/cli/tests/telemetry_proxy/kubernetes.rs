//! What Kubernetes knows and tells, from a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use epiphyte_testbed::ControlPlane;
use epiphyte_testbed::otlp::Receiver;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::{post, span};
use crate::cluster::{self, arrives, records, under};
use crate::proxy::{Proxy, ProxyOptions, signal};
use crate::traffic::Traffic;
use crate::{authorization, token, until};

/// A control plane that all tests here share, each with namespaces of its own.
static PLANE: LazyLock<(Runtime, ControlPlane)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let plane = runtime.block_on(ControlPlane::start()).expect("a control plane");
    (runtime, plane)
});

fn apply(object: &Value) {
    cluster::apply(&PLANE.1, object);
}

fn namespace(name: &str) {
    cluster::namespace(&PLANE.1, name);
}

fn event(namespace: &str, name: &str) {
    cluster::event(&PLANE.1, namespace, name);
}

fn live(upstream: &Receiver, namespace: &str, digit: char) -> String {
    cluster::live(&PLANE.1, upstream, namespace, digit)
}

fn start(upstream: &Receiver, tokens: &[char]) -> Proxy {
    let options = ProxyOptions {
        upstream: upstream.url().to_owned(),
        kubeconfig: Some(PLANE.1.kubeconfig()),
        ..ProxyOptions::default()
    };
    Proxy::start(&options, tokens)
}

#[test]
fn events_of_each_monitored_namespace_go_out_under_its_token_and_no_other() {
    for name in ["shop", "shop-test", "web"] {
        namespace(name);
    }
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream, &[]);
    proxy.monitor(&[("shop", 'a'), ("web", 'b')]);
    until("Events are collected", || proxy.logged("Started collecting") >= 2);
    for name in ["shop", "shop-test", "web"] {
        event(name, &format!("live-{name}"));
    }
    arrives(&upstream, "live-shop", 'a');
    arrives(&upstream, "live-web", 'b');
    let requests = upstream.requests();
    assert_eq!(under(&requests, "live-shop"), BTreeSet::from([authorization('a')]));
    assert_eq!(
        under(&requests, "live-shop-test"),
        BTreeSet::new(),
        "a namespace that only begins like a monitored one"
    );
    for item in requests.iter().flat_map(|request| &request.items) {
        // By these a duplicate is told.
        for attribute in ["k8s.event.uid", "k8s.event.resource_version"] {
            assert!(item.attributes.contains_key(attribute), "{item:?}");
        }
    }
}

#[test]
fn events_carry_the_uids_of_their_namespace_and_cluster_and_its_name_and_what_a_user_adds() {
    for name in ["with-uid", "with", "without-uid"] {
        namespace(name);
    }
    let upstream = Receiver::on_loopback().expect("a receiver");
    let steps = ["memory_limiter", "transform", "transform/uids", "transform/mine"];
    let options = ProxyOptions {
        upstream: upstream.url().to_owned(),
        kubeconfig: Some(PLANE.1.kubeconfig()),
        extra: json!({ "events": {
            "processors": { "transform/mine": { "log_statements": ["set(log.attributes[\"team\"], \"blue\")"] } },
            "service": { "pipelines": { "logs": { "processors": steps } } },
        } }),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&options, &[]);
    let uids = ["with-uid", "with"].map(|name| (name, cluster::uid(&PLANE.1, name)));
    let mut entries: Vec<Value> =
        uids.iter().map(|(name, uid)| json!({ "name": name, "uid": uid, "token": token('a') })).collect();
    entries.push(json!({ "name": "without-uid", "uid": "\" or true", "token": token('a') }));
    proxy.write_namespaces(Value::from(entries).to_string().as_bytes());
    let mut uids = uids.map(|(name, uid)| (name, Some(uid))).to_vec();
    uids.push(("without-uid", None));
    for (name, uid) in uids {
        let event = live(&upstream, name, 'a');
        let (_, item) = records(&upstream.requests(), &event).remove(0);
        assert_eq!(item.resource.get("k8s.namespace.uid"), uid.as_ref(), "{name}: {item:?}");
        assert_eq!(item.resource.get("k8s.cluster.uid"), Some(&cluster::uid(&PLANE.1, "kube-system")), "{item:?}");
        assert_eq!(item.resource.get("k8s.cluster.name").map(String::as_str), Some("loop\"back $1"));
        assert_eq!(item.attributes.get("team").map(String::as_str), Some("blue"), "{item:?}");
    }
}

#[test]
fn no_event_is_lost_over_reloads_and_a_killed_collector() {
    for name in ["early", "late"] {
        namespace(name);
    }
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream, &[]);
    event("early", "before");
    proxy.monitor(&[("early", 'a')]);
    // It was there before anybody looked.
    arrives(&upstream, "before", 'a');
    let collector = proxy.collector("events");
    // Said by *traffic* too, which does not restart.
    until("it is up", || proxy.logged("Everything is ready.") == 2);
    proxy.monitor(&[("early", 'a'), ("late", 'b')]);
    until("it is told to read again", || proxy.logged("told the Collector to read its configuration again") == 1);
    live(&upstream, "late", 'b');
    assert_eq!(proxy.collector("events"), collector, "it was reloaded, not restarted");

    signal(collector, "KILL");
    event("early", "while-away");
    until("it is started again", || proxy.collector("events") != collector);
    live(&upstream, "early", 'a');
    arrives(&upstream, "while-away", 'a');
}

#[test]
fn a_hundred_changes_of_namespaces_cost_no_span() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream, &['a']);
    let mut traffic = Traffic::start(&proxy.http, 'a');
    let collector = proxy.collector("traffic");
    for change in 0..100 {
        let names: Vec<String> = (0..=change % 7).map(|at| format!("ns-{change}-{at}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), 'a')).collect();
        proxy.monitor(&entries);
        proxy.write_tokens(&['a', char::from_digit(change % 10, 10).expect("a digit")]);
        traffic.until_more(5);
    }
    let last: Vec<String> = (0..9).map(|at| format!("last-{at}")).collect();
    proxy.monitor(&last.iter().map(|name| (name.as_str(), 'a')).collect::<Vec<_>>());
    until("the last change is in force", || proxy.logged("namespaces=9") == 1);
    let sent = traffic.until_all_arrived(&upstream);
    assert!(sent >= 500);
    assert_eq!(proxy.collector("traffic"), collector);
}

/// A namespace that pods can be in: nobody else makes their account here.
fn populated(name: &str) {
    namespace(name);
    apply(
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "namespace": name, "name": "default" } }),
    );
}

/// The uid of the only pod of a namespace.
fn uid_of_pod(namespace: &str) -> String {
    let uid = || PLANE.1.kubectl_with(&["get", "pod", "-n", namespace, "-o", "jsonpath={.items[*].metadata.uid}"], "");
    until("the pod is there", || uid().is_ok_and(|uid| !uid.is_empty()));
    uid().expect("a uid")
}

/// The resource of a span with these attributes, once it has come with another.
fn enriched(attributes: &[(&str, &str)], with: &str) -> BTreeMap<String, String> {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream, &['a']);
    let body = span("enriched", attributes).encode_to_vec();
    let mut resource = BTreeMap::new();
    // The Collector takes a moment to know the pods; it does not hold telemetry up until then.
    until("the span carries what Kubernetes knows", || {
        let sent = post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body);
        assert!(sent.is_some_and(|answer| answer.status == 200));
        let found = upstream.spans().into_iter().find(|span| span.resource.contains_key(with));
        resource = found.map(|span| span.resource).unwrap_or_default();
        !resource.is_empty()
    });
    resource
}

#[test]
fn spans_carry_what_kubernetes_knows_of_their_pod() {
    populated("known");
    apply(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node-1" } }));
    apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "namespace": "known", "name": "cart" },
        "spec": {
            "selector": { "matchLabels": { "app": "cart" } },
            "template": {
                "metadata": { "labels": { "app": "cart" } },
                "spec": { "nodeName": "node-1", "containers": [{ "name": "main", "image": "registry.example/cart:1.2" }] },
            },
        },
    }));
    let uid = uid_of_pod("known");
    let attributes =
        [("k8s.pod.uid", uid.as_str()), ("k8s.container.name", "main"), ("service.name", "unknown_service:node")];
    let resource = enriched(&attributes, "k8s.deployment.uid");
    let attribute = |key: &str| resource.get(key).map_or("", String::as_str);
    for (key, value) in [
        ("k8s.namespace.name", "known"),
        ("k8s.node.name", "node-1"),
        ("k8s.deployment.name", "cart"),
        ("k8s.container.name", "main"),
        ("container.image.tag", "1.2"),
        // By the rules of OpenTelemetry: the workload's name.
        ("service.name", "cart"),
    ] {
        assert_eq!(attribute(key), value, "{key} in {resource:?}");
    }
    for key in ["k8s.pod.name", "k8s.replicaset.name", "k8s.replicaset.uid", "k8s.cluster.uid"] {
        assert!(!attribute(key).is_empty(), "{key} in {resource:?}");
    }
}

#[test]
fn spans_of_a_cron_job_carry_its_name_and_uid_beside_those_of_its_job() {
    populated("clock");
    apply(&json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "namespace": "clock", "name": "tick" },
        "spec": { "schedule": "0 0 1 1 *", "jobTemplate": { "spec": { "template": { "spec": {
            "restartPolicy": "Never", "containers": [{ "name": "main", "image": "registry.example/tick:1" }],
        } } } } },
    }));
    let create = ["create", "job", "-n", "clock", "tick-29000001", "--from=cronjob/tick"];
    PLANE.1.kubectl_with(&create, "").expect("a job");
    let resource = enriched(&[("k8s.pod.uid", &uid_of_pod("clock"))], "k8s.cronjob.uid");
    let attribute = |key: &str| resource.get(key).map_or("", String::as_str);
    assert_eq!((attribute("k8s.cronjob.name"), attribute("k8s.job.name")), ("tick", "tick-29000001"));
    assert_eq!(attribute("service.name"), "tick");
}
