//! An API server that is away, and two replicas of the proxy: spans go on, and no Event is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use epiphyte_testbed::otlp::{Receiver, Request};
use epiphyte_testbed::{Component, ControlPlane};
use tokio::runtime::Runtime;

use crate::cluster::{arrives, event, live, namespace, records};
use crate::proxy::{Proxy, ProxyOptions, signal};
use crate::traffic::Traffic;
use crate::until;

/// A control plane for one test, which stops parts of it.
fn plane() -> (Runtime, ControlPlane) {
    let runtime = Runtime::new().expect("a runtime");
    let plane = runtime.block_on(ControlPlane::start()).expect("a control plane");
    (runtime, plane)
}

fn start(plane: &ControlPlane, upstream: &Receiver) -> Proxy {
    let options = ProxyOptions {
        upstream: upstream.url().to_owned(),
        kubeconfig: Some(plane.kubeconfig()),
        ..ProxyOptions::default()
    };
    Proxy::start(&options, &['a'])
}

#[test]
fn an_api_server_that_is_away_holds_no_span_up_and_events_go_on_from_where_they_were() {
    let (runtime, plane) = plane();
    namespace(&plane, "away");
    event(&plane, "away", "before");
    runtime.block_on(plane.stop(Component::ApiServer)).expect("it is stopped");

    // Away before the proxy starts.
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&plane, &upstream);
    proxy.monitor(&[("away", 'a')]);
    let mut traffic = Traffic::start(&proxy.http, 'a');
    until("the Collector of Events ends", || {
        proxy.admin.metric("epiphyte_proxy_collector_exits_total", &["events"]) > 0.0
    });
    traffic.until_more(50);
    assert!(proxy.admin.is_ready());
    runtime.block_on(plane.start_component(Component::ApiServer)).expect("it is back");
    arrives(&upstream, "before", 'a');
    live(&plane, &upstream, "away", 'a');

    // And while it runs.
    let (on_events, on_traffic) = (proxy.collector("events"), proxy.collector("traffic"));
    runtime.block_on(plane.stop(Component::ApiServer)).expect("it is stopped");
    traffic.until_more(200);
    assert!(proxy.admin.is_ready());
    runtime.block_on(plane.start_component(Component::ApiServer)).expect("it is back");
    // Right away, before any watch is there again.
    for number in 0..5 {
        event(&plane, "away", &format!("after-{number}"));
    }
    for number in 0..5 {
        arrives(&upstream, &format!("after-{number}"), 'a');
    }
    assert_eq!((proxy.collector("events"), proxy.collector("traffic")), (on_events, on_traffic));
    traffic.until_all_arrived(&upstream);
}

/// Has the store forget all that was before now, as it does every few minutes.
fn compact(plane: &ControlPlane) {
    let events = plane.kubectl_with(&["get", "--raw", "/api/v1/events?limit=1"], "").expect("a list");
    let events: serde_json::Value = serde_json::from_str(&events).expect("JSON");
    let revision = &events["metadata"]["resourceVersion"];
    let body = serde_json::json!({ "revision": revision, "physical": true }).to_string();
    let mut stream = UnixStream::connect(plane.folder().join("etcd.sock")).expect("the store is there");
    let length = body.len();
    write!(
        stream,
        "POST /v3/kv/compaction HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("it is asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn what_a_watch_has_missed_is_listed_at_once_and_not_half_an_hour_later() {
    let (runtime, plane) = plane();
    namespace(&plane, "gap");
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&plane, &upstream);
    proxy.monitor(&[("gap", 'a')]);
    live(&plane, &upstream, "gap", 'a');
    // Its watch breaks off, and before it can go on the store has forgotten where it was.
    let collector = proxy.collector("events");
    signal(collector, "STOP");
    runtime.block_on(plane.restart(Component::ApiServer)).expect("it is back");
    event(&plane, "gap", "missed");
    event(&plane, "gap", "missed-too");
    compact(&plane);
    signal(collector, "CONT");
    arrives(&upstream, "missed", 'a');
    arrives(&upstream, "missed-too", 'a');
    // On a machine so slow that all this took half a minute it was held to hang.
    let is_another = proxy.collector("events") != collector;
    assert!(is_another || proxy.logged("the Collector missed Events") > 0);
    live(&plane, &upstream, "gap", 'a');
}

#[test]
fn of_two_proxies_of_which_one_is_restarted_each_event_comes_and_a_duplicate_is_told_by_uid_and_resource_version() {
    let (_runtime, plane) = plane();
    namespace(&plane, "twice");
    let upstream = Receiver::on_loopback().expect("a receiver");
    let mut proxies = [(); 2].map(|()| start(&plane, &upstream));
    for proxy in &proxies {
        proxy.monitor(&[("twice", 'a')]);
        until("it collects Events", || proxy.logged("Started collecting") >= 2);
    }
    // Both watch.
    let twice = |name: &str| records(&upstream.requests(), name).len() >= 2;
    let mut number = 0;
    until("an Event comes twice", || {
        number += 1;
        event(&plane, "twice", &format!("first-{number}"));
        (1..=number).any(|number| twice(&format!("first-{number}")))
    });
    // In turn, as a rollout would.
    for (round, proxy) in proxies.iter_mut().enumerate() {
        let names = |step: &str| (0..4).map(|at| format!("{step}-{round}-{at}")).collect::<Vec<_>>();
        names("before").iter().for_each(|name| event(&plane, "twice", name));
        proxy.terminate();
        names("without").iter().for_each(|name| event(&plane, "twice", name));
        assert!(proxy.ends());
        proxy.run();
        names("after").iter().for_each(|name| event(&plane, "twice", name));
        for name in ["before", "without", "after"].iter().flat_map(|step| names(step)) {
            arrives(&upstream, &name, 'a');
        }
        // The other is to be restarted only once this one is whole again.
        live(&plane, &upstream, "twice", 'a');
        until("it collects Events again", || proxy.logged("Started collecting") >= 4);
        let mut number = 0;
        until("an Event comes twice again", || {
            number += 1;
            event(&plane, "twice", &format!("again-{round}-{number}"));
            (1..=number).any(|number| twice(&format!("again-{round}-{number}")))
        });
    }
    // Each was made once: all that came of one has the same two.
    let mut told = BTreeMap::<String, BTreeSet<(String, String)>>::new();
    let mut came = 0;
    for Request { items, .. } in upstream.requests() {
        for item in items {
            let attribute = |key: &str| item.attributes.get(key).cloned().unwrap_or_default();
            let by = (attribute("k8s.event.uid"), attribute("k8s.event.resource_version"));
            assert!(!by.0.is_empty() && !by.1.is_empty(), "{item:?}");
            told.entry(attribute("event.name")).or_default().insert(by);
            came += 1;
        }
    }
    assert!(came > told.len(), "there are duplicates");
    for (name, by) in &told {
        assert_eq!(by.len(), 1, "{name}: {by:?}");
    }
}
