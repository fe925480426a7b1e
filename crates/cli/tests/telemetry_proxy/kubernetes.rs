//! What Kubernetes knows and tells, from a real API server.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use epiphyte_testbed::ControlPlane;
use epiphyte_testbed::otlp::{Receiver, Request};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::{post, span};
use crate::proxy::{Proxy, ProxyOptions, signal};
use crate::traffic::Traffic;
use crate::{DEADLINE, authorization, until};

/// A control plane that all tests here share, each with namespaces of its own.
static PLANE: LazyLock<(Runtime, ControlPlane)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let plane = runtime.block_on(ControlPlane::start()).expect("a control plane");
    (runtime, plane)
});

fn apply(object: &Value) {
    PLANE.1.kubectl_with(&["apply", "-f", "-"], &object.to_string()).expect("it is applied");
}

fn namespace(name: &str) {
    apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
}

fn event(namespace: &str, name: &str) {
    apply(&json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "namespace": namespace, "name": name },
        "involvedObject": { "kind": "Pod", "namespace": namespace, "name": "pod" },
        "reason": "Tested", "message": name, "type": "Warning",
    }));
}

fn start(upstream: &Receiver, tokens: &[char]) -> Proxy {
    let options = ProxyOptions {
        upstream: upstream.url().to_owned(),
        kubeconfig: Some(PLANE.1.kubeconfig()),
        ..ProxyOptions::default()
    };
    Proxy::start(&options, tokens)
}

/// The headers under which an Event came, by its name.
fn under(requests: &[Request], event: &str) -> BTreeSet<String> {
    let about = |request: &&Request| {
        request.items.iter().any(|item| item.attributes.get("event.name").is_some_and(|name| name == event))
    };
    requests.iter().filter(about).map(|request| request.authorization.clone()).collect()
}

fn arrives(upstream: &Receiver, event: &str, digit: char) {
    let came = |requests: &[Request]| under(requests, event).contains(&authorization(digit)).then_some(());
    upstream.wait_requests(event, DEADLINE, came).expect("the Event arrives");
}

/// Makes Events until one arrives, and gives its name: one that falls between the two lists at the start of a Collector comes with
/// the next list only.
fn live(upstream: &Receiver, namespace: &str, digit: char) -> String {
    let mut arrived = None;
    let mut number = 0;
    until(&format!("an Event of {namespace} arrives"), || {
        number += 1;
        event(namespace, &format!("live-{namespace}-{number}"));
        let requests = upstream.requests();
        let mut names = (1..=number).map(|number| format!("live-{namespace}-{number}"));
        arrived = names.find(|name| under(&requests, name).contains(&authorization(digit)));
        arrived.is_some()
    });
    arrived.expect("one arrived")
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

#[test]
fn spans_carry_what_kubernetes_knows_of_their_pod() {
    namespace("known");
    apply(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node-1" } }));
    apply(
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "namespace": "known", "name": "default" } }),
    );
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
    let pod = || {
        PLANE.1.kubectl_with(
            &["get", "pod", "-n", "known", "-l", "app=cart", "-o", "jsonpath={.items[*].metadata.uid}"],
            "",
        )
    };
    until("the pod is there", || pod().is_ok_and(|uid| !uid.is_empty()));
    let uid = pod().expect("a uid");
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream, &['a']);
    let attributes =
        [("k8s.pod.uid", uid.as_str()), ("k8s.container.name", "main"), ("service.name", "unknown_service:node")];
    let body = span("enriched", &attributes).encode_to_vec();
    let mut resource = Default::default();
    // The Collector takes a moment to know the pods; it does not hold telemetry up until then.
    until("the span carries the pod's attributes", || {
        let sent = post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body);
        assert!(sent.is_some_and(|answer| answer.status == 200));
        let found = upstream.spans().into_iter().find(|span| span.resource.contains_key("k8s.deployment.uid"));
        resource = found.map(|span| span.resource).unwrap_or_default();
        !resource.is_empty()
    });
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
