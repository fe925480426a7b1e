//! What lies upstream is away, slow, or says to come again later: nothing that was accepted is lost, and nobody is pestered.

use std::time::{Duration, Instant};

use epiphyte_testbed::otlp::{Answer, Receiver, Signal};
use serde_json::json;
use tokio::net::TcpSocket;

use crate::client::{body, post};
use crate::proxy::{Proxy, ProxyOptions};
use crate::traffic::Traffic;
use crate::{authorization, until};

fn to(upstream: &Receiver) -> ProxyOptions {
    ProxyOptions { upstream: upstream.url().to_owned(), ..ProxyOptions::default() }
}

/// A port that nobody listens at, and nobody else gets meanwhile.
fn reserved() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let port = socket.local_addr().expect("its address").port();
    (socket, port)
}

/// How much faster than it is shipped the proxy tries again here, so that ten minutes take a test twenty seconds.
const FASTER: u32 = 30;

/// The waits between tries, as they are shipped, but for their measure.
fn faster() -> serde_json::Value {
    let faster = |seconds: u32| format!("{}ms", seconds * 1_000 / FASTER);
    let retry = json!({ "retry_on_failure": { "initial_interval": faster(1), "max_interval": faster(30) } });
    json!({ "traffic": { "exporters": { "otlp_http": retry } } })
}

#[test]
fn an_upstream_that_is_down_for_ten_minutes_in_measure_loses_nothing_and_the_proxy_stays_ready() {
    let (reserved, port) = reserved();
    let upstream = format!("http://127.0.0.1:{port}");
    let proxy = Proxy::start(&ProxyOptions { upstream, extra: faster(), ..ProxyOptions::default() }, &['a', 'b']);
    let down = Instant::now();
    let mut tenants = ['a', 'b'].map(|digit| Traffic::start(&proxy.http, digit));
    while down.elapsed() < Duration::from_secs(600) / FASTER {
        for tenant in &tenants {
            tenant.until_more(20);
        }
        assert!(proxy.admin.is_ready(), "an outage upstream is not the proxy's");
    }
    let sent: Vec<usize> = tenants.iter_mut().map(Traffic::stop).collect();
    assert_eq!(proxy.admin.metric("otelcol_exporter_send_failed_spans_total", &[]), 0.0, "nothing was given up");

    drop(reserved);
    let upstream = Receiver::at(port).expect("a receiver again");
    for (tenant, sent) in tenants.iter().zip(sent) {
        tenant.until_arrived(&upstream, sent);
    }
}

#[test]
fn an_upstream_that_says_when_to_come_again_is_not_asked_before() {
    for status in [429, 503] {
        let upstream = Receiver::on_loopback().expect("a receiver");
        let proxy = Proxy::start(&to(&upstream), &['a']);
        // More than the first waits would be without its word.
        upstream.answer(Answer::Refuse(status, Some(8)));
        let answer =
            post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body(Signal::Traces, "later"));
        assert_eq!(answer.map(|it| it.status), Some(200), "it is on disk");
        until("it is refused", || !upstream.refusals().is_empty());
        upstream.answer(Answer::Accept);
        until("it arrives", || !upstream.spans().is_empty());
        let refusals = upstream.refusals();
        assert_eq!(refusals.len(), 1, "{status}: it was asked again");
        assert!(refusals[0].elapsed() >= Duration::from_secs(8), "{status}: {:?}", refusals[0].elapsed());
    }
}

#[test]
fn an_upstream_that_is_slow_holds_nobody_up_and_gets_everything() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&to(&upstream), &['a']);
    upstream.answer(Answer::Late(Duration::from_secs(3)));
    let mut traffic = Traffic::start(&proxy.http, 'a');
    let start = Instant::now();
    // More than are under way upstream at once.
    traffic.until_more(64);
    assert!(upstream.spans().len() < 64, "who sends does not wait for it");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(proxy.admin.is_ready());
    traffic.stop();
    upstream.answer(Answer::Accept);
    traffic.until_all_arrived(&upstream);
}

#[test]
fn an_upstream_that_never_answers_is_given_up_and_asked_again() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let extra = json!({ "traffic": { "exporters": { "otlp_http": { "timeout": "1s" } } } });
    let proxy = Proxy::start(&ProxyOptions { extra, ..to(&upstream) }, &['a']);
    upstream.answer(Answer::Late(Duration::from_secs(3_600)));
    let mut traffic = Traffic::start(&proxy.http, 'a');
    traffic.until_more(64);
    until("a try is over", || proxy.logged("Exporting failed. Will retry") > 0);
    upstream.answer(Answer::Accept);
    traffic.until_all_arrived(&upstream);
}
