//! What is sent goes on under the token that it came with, and under no other.

use std::time::{Duration, Instant};

use epiphyte_testbed::otlp::{Receiver, Request};
use prost::Message as _;
use tonic::Code;

use crate::client::{SIGNALS, body, post, send_grpc, span};
use crate::proxy::{Proxy, ProxyOptions};
use crate::support::Admin;
use crate::traffic::Traffic;
use crate::{DEADLINE, authorization, token, until};

fn between(upstream: &Receiver) -> ProxyOptions {
    ProxyOptions { upstream: upstream.url().to_owned(), ..ProxyOptions::default() }
}

/// The first request with an item of this name.
fn with_item<'a>(requests: &'a [Request], name: &str) -> Option<&'a Request> {
    requests.iter().find(|request| request.items.iter().any(|item| item.name == name))
}

fn arrival(upstream: &Receiver, name: &str) -> Request {
    upstream.wait_requests(name, DEADLINE, |requests| with_item(requests, name).cloned()).expect("it arrives")
}

#[test]
fn each_signal_goes_on_under_its_senders_token_over_http_and_grpc() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &['a', 'b']);
    for (digit, (signal, path)) in ['a', 'b'].into_iter().flat_map(|digit| SIGNALS.map(|signal| (digit, signal))) {
        let (by_http, by_grpc) = (format!("http {digit} {path}"), format!("grpc {digit} {path}"));
        let headers = [("Authorization", &*authorization(digit))];
        let answer = post(&proxy.http, path, &headers, &body(signal, &by_http)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text);
        send_grpc(&proxy.grpc, signal, &[&authorization(digit)], &by_grpc).expect("it is taken");
        for name in [by_http, by_grpc] {
            let request = arrival(&upstream, &name);
            assert_eq!((request.signal, request.authorization), (signal, authorization(digit)), "{name}");
        }
    }
}

#[test]
fn two_tenants_never_share_a_request() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &['a', 'b', 'c']);
    let mut tenants = ['a', 'b', 'c'].map(|digit| Traffic::start(&proxy.http, digit));
    for tenant in &tenants {
        tenant.until_more(100);
    }
    for tenant in &mut tenants {
        tenant.until_all_arrived(&upstream);
    }
    for request in upstream.requests() {
        // One request for each that came in: nothing was put together, so nothing was mixed.
        let [item] = request.items.as_slice() else { panic!("requests were put together: {request:?}") };
        let digit = item.name.chars().next().expect("a name");
        assert_eq!(request.authorization, authorization(digit), "{}", item.name);
    }
}

#[test]
fn a_token_that_is_not_listed_is_refused_unnamed_and_counted() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &['a']);
    let (known, unknown) = (authorization('a'), authorization('d'));
    let refused: [&[&str]; 7] =
        [&[], &[""], &["LumigoToken"], &["LumigoToken "], &["Bearer x"], &[&unknown], &[&known, &unknown]];
    for values in refused {
        for (signal, path) in SIGNALS {
            let headers: Vec<_> = values.iter().map(|value| ("Authorization", *value)).collect();
            let answer = post(&proxy.http, path, &headers, &body(signal, "refused")).expect("an answer");
            assert_eq!(answer.status, 401, "{values:?}: {}", answer.text);
            let (code, said) = send_grpc(&proxy.grpc, signal, values, "refused").expect_err("it is refused");
            assert_eq!(code, Code::Unauthenticated, "{values:?}: {said}");
            for said in [answer.text, said] {
                assert!(!said.contains("t_") && !said.contains("ddd"), "{values:?}: {said}");
            }
        }
    }
    let count = |reason: &str| {
        let reason = format!("reason=\"{reason}\"");
        proxy.admin.metric("epiphyte_rejected_requests_total", &[&reason, "collector=\"traffic\""])
    };
    // Each value three times over each protocol, and nothing of the proxy's own. HTTP loses the blank of the fourth.
    assert_eq!([count("missing"), count("malformed"), count("unknown")], [9.0, 27.0, 6.0]);
    send_grpc(&proxy.grpc, SIGNALS[0].0, &[&known], "known").expect("it is taken");
    arrival(&upstream, "known");
    assert!(with_item(&upstream.requests(), "refused").is_none());
}

#[test]
fn a_token_is_good_within_five_seconds_of_being_listed_without_a_restart_of_anything() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &[]);
    let status = |digit| {
        let headers = [("Authorization", &*authorization(digit))];
        post(&proxy.http, "/v1/traces", &headers, &body(SIGNALS[0].0, "new")).map(|answer| answer.status)
    };
    assert_eq!(status('a'), Some(401));
    let collector = proxy.collector("traffic");

    proxy.write_tokens(&['a']);
    let listed = Instant::now();
    until("the token is good", || status('a') == Some(200));
    assert!(listed.elapsed() < Duration::from_secs(5), "{:?}", listed.elapsed());
    until("the proxy has seen that it is", || proxy.logged("the list of tokens is in force") >= 2);
    assert!(proxy.admin.metric("epiphyte_proxy_tokens_in_force_milliseconds", &[]) < 5_000.0);

    proxy.write_tokens(&['b']);
    until("the other token is good", || status('b') == Some(200));
    assert_eq!(status('a'), Some(401), "a token that is no longer listed");
    assert_eq!(proxy.collector("traffic"), collector);
    assert_eq!(proxy.admin.metric("epiphyte_proxy_reloads_total", &["traffic"]), 0.0);
}

#[test]
fn what_has_no_token_goes_to_a_destination_of_its_own_where_that_is_wanted() {
    let (upstream, other) = (Receiver::on_loopback().expect("a receiver"), Receiver::on_loopback().expect("another"));
    let mut options = between(&upstream);
    let without = Proxy::start(&options, &['a']);
    assert!(post(&without.tokenless_http, "/v1/traces", &[], &[]).is_none(), "nobody listens");
    drop(without);

    options.tokenless = Some(other.url().to_owned());
    let proxy = Proxy::start(&options, &['a']);
    for (signal, path) in SIGNALS {
        let (by_http, by_grpc) = (format!("http {path}"), format!("grpc {path}"));
        // A token that somebody sends along all the same is not passed on.
        let headers = [("Authorization", &*authorization('a'))];
        let answer = post(&proxy.tokenless_http, path, &headers, &body(signal, &by_http)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text);
        send_grpc(&proxy.tokenless_grpc, signal, &[], &by_grpc).expect("it is taken");
        for name in [by_http, by_grpc] {
            assert_eq!(arrival(&other, &name).authorization, "Basic b3RoZXI=");
        }
    }
    assert_eq!(upstream.requests(), []);
}

#[test]
fn a_name_that_is_none_stays_where_nobody_knows_a_better_one_and_the_cluster_is_named() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &['a']);
    let headers = [("Authorization", &*authorization('a'))];
    for (name, service) in [("known", "shop"), ("unknown", "unknown_service:java")] {
        let body = span(name, &[("service.name", service)]).encode_to_vec();
        assert_eq!(post(&proxy.http, "/v1/traces", &headers, &body).map(|answer| answer.status), Some(200));
        let item = arrival(&upstream, name).items.remove(0);
        let attribute = |key: &str| item.resource.get(key).map(String::as_str);
        assert_eq!(attribute("service.name"), Some(service));
        assert_eq!(attribute("k8s.cluster.name"), Some("loop\"back $1"));
        assert_eq!(attribute("epiphyte.service.name"), None);
    }
}

#[test]
fn metrics_of_the_supervisor_and_the_collector_are_on_one_port() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&between(&upstream), &['a']);
    for pod in 0..3 {
        let body = span("counted", &[("k8s.pod.uid", &format!("pod-{pod}"))]).encode_to_vec();
        post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body).expect("an answer");
    }
    until("they are counted", || proxy.admin.metric("otelcol_receiver_accepted_spans_total", &["traffic"]) >= 3.0);
    let (ok, text) = Admin::get(&proxy.admin, "/metrics").expect("an answer");
    assert!(ok);
    for metric in ["epiphyte_proxy_collector_starts_total{collector=\"traffic\"} 1", "otelcol_process_uptime"] {
        assert!(text.contains(metric), "{metric} is not in:\n{text}");
    }
    // The Collector counts by pod if it is let, and by what clients call the host.
    for unbounded in ["pod-1", "pod_identifier", "server_address"] {
        assert!(!text.contains(unbounded), "{unbounded} is in:\n{text}");
    }
    assert!(!text.contains(&token('a')));
}
