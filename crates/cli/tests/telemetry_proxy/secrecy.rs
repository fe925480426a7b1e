//! No token is where it does not belong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use epiphyte_testbed::otlp::{Answer, Receiver, Signal};

use crate::client::{body, post, send_grpc};
use crate::proxy::{Proxy, ProxyOptions, signal};
use crate::traffic::Traffic;
use crate::{authorization, token, until};

#[test]
fn a_search_through_logs_configurations_arguments_variables_answers_and_metrics_finds_no_token() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let options = ProxyOptions { upstream: upstream.url().to_owned(), ..ProxyOptions::default() };
    let mut proxy = Proxy::start(&options, &['a']);
    let mut said = String::new();
    // A life with all that can go wrong in it.
    proxy.monitor(&[("shop", 'a'), ("web", 'b')]);
    until("Events are collected", || proxy.path("run/events.json").exists());
    for status in [400, 401, 403, 503] {
        upstream.answer(Answer::Refuse(status, None));
        for digit in ['a', 'c'] {
            let answer = post(
                &proxy.http,
                "/v1/traces",
                &[("Authorization", &authorization(digit))],
                &body(Signal::Traces, "x"),
            );
            said.push_str(&answer.expect("an answer").text);
            if let Err((_, told)) = send_grpc(&proxy.grpc, Signal::Logs, &[&authorization(digit)], "x") {
                said.push_str(&told);
            }
        }
    }
    proxy.write_token_file(format!("[\"{}\"", token('b')).as_bytes());
    until("it is told", || proxy.logged("no JSON") >= 1);
    signal(proxy.collector("traffic"), "KILL");
    upstream.answer(Answer::Accept);
    let mut traffic = Traffic::start(&proxy.http, 'a');
    traffic.until_more(10);
    traffic.until_all_arrived(&upstream);

    let (_, metrics) = proxy.admin.get("/metrics").expect("metrics");
    let mut places = vec![("answers".to_owned(), said), ("metrics".to_owned(), metrics)];
    for pid in [proxy.pid(), proxy.collector("traffic")] {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{file}")).expect("read");
            places.push((format!("{file} of {pid}"), String::from_utf8_lossy(&text).into_owned()));
        }
    }
    for name in ["traffic.json", "events.json"] {
        places.push((name.to_owned(), fs::read_to_string(proxy.path("run").join(name)).expect("read")));
    }
    // Locked away: the folders, and every file with tokens.
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for folder in ["run", "run/tokens", "queue/traffic", "queue/events"] {
        assert_eq!(mode(&proxy.path(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&proxy.path("run/admitted")), 0o600);
    for entry in fs::read_dir(proxy.path("run/tokens")).expect("read") {
        assert_eq!(mode(&entry.expect("read").path()), 0o600);
    }
    proxy.terminate();
    assert!(proxy.ends());
    places.push(("logs".to_owned(), proxy.log()));
    for (place, text) in places {
        for digit in ['a', 'b', 'c'] {
            assert!(!text.contains(&token(digit)), "the token of {digit} is in {place}:\n{text}");
        }
    }
}
