//! What was accepted arrives, whatever happens to the Collector, the proxy and what lies upstream. All by numbered spans.

use std::time::Duration;

use epiphyte_testbed::otlp::{Answer, Receiver};

use crate::client::{SIGNALS, body, post};
use crate::proxy::{Proxy, ProxyOptions, signal};
use crate::traffic::Traffic;
use crate::{authorization, until};

fn to(upstream: &Receiver) -> ProxyOptions {
    ProxyOptions { upstream: upstream.url().to_owned(), ..ProxyOptions::default() }
}

#[test]
fn an_upstream_that_says_to_come_again_later_gets_everything_later() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&to(&upstream), &['a']);
    let mut traffic = Traffic::start(&proxy.http, 'a');
    for answer in
        [Answer::Refuse(429, Some(1)), Answer::Refuse(503, Some(1)), Answer::Refuse(503, None), Answer::Accept]
    {
        upstream.answer(answer);
        traffic.until_more(20);
    }
    traffic.until_all_arrived(&upstream);
}

#[test]
fn a_collector_that_is_killed_again_and_again_comes_back_and_loses_nothing_that_it_accepted() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&to(&upstream), &['a']);
    let mut traffic = Traffic::start(&proxy.http, 'a');
    for _ in 0..4 {
        // Some wait for being sent when it happens.
        upstream.answer(Answer::Refuse(503, None));
        traffic.until_more(30);
        let killed = proxy.collector("traffic");
        signal(killed, "KILL");
        upstream.answer(Answer::Accept);
        until("the Collector is started again", || proxy.collector("traffic") != killed);
        traffic.until_more(30);
    }
    until("all is well again", || proxy.admin.is_ready());
    traffic.until_all_arrived(&upstream);
    assert!(proxy.admin.metric("epiphyte_proxy_collector_exits_total", &["traffic"]) >= 4.0);
}

#[test]
fn a_collector_that_hangs_is_unready_and_after_half_a_minute_another_takes_its_place_and_its_queue() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = Proxy::start(&to(&upstream), &['a']);
    upstream.answer(Answer::Refuse(503, None));
    let mut traffic = Traffic::start(&proxy.http, 'a');
    traffic.until_more(50);
    let hung = proxy.collector("traffic");
    signal(hung, "STOP");
    until("it is unready", || !proxy.admin.is_ready());
    assert_eq!(proxy.collector("traffic"), hung, "a slow moment is not a hang");
    until("another is started", || proxy.collector("traffic") != hung);
    assert_eq!(proxy.logged("the Collector gave no answer for too long"), 1);
    assert_eq!(proxy.admin.metric("epiphyte_proxy_collector_hangs_total", &["traffic"]), 1.0);
    until("all is well", || proxy.admin.is_ready());
    traffic.until_more(50);
    upstream.answer(Answer::Accept);
    traffic.until_all_arrived(&upstream);
}

#[test]
fn what_is_on_disk_when_the_proxy_ends_is_sent_after_its_next_start() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let mut proxy = Proxy::start(&to(&upstream), &['a']);
    upstream.answer(Answer::Refuse(503, None));
    let mut traffic = Traffic::start(&proxy.http, 'a');
    traffic.until_more(50);
    let sent = traffic.stop();
    proxy.terminate();
    assert!(proxy.ends());
    assert_eq!(proxy.logged("what is left stays on disk"), 1);
    assert_eq!(upstream.requests(), []);

    upstream.answer(Answer::Accept);
    proxy.run();
    traffic.until_arrived(&upstream, sent);
}

#[test]
fn a_proxy_that_is_told_to_end_sends_what_it_has_and_takes_nothing_more() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let mut proxy = Proxy::start(&to(&upstream), &['a']);
    upstream.answer(Answer::Refuse(503, None));
    let mut traffic = Traffic::start(&proxy.http, 'a');
    traffic.until_more(50);
    proxy.terminate();
    // Agents go on for as long as they are answered.
    until("nothing more is taken", || {
        let headers = [("Authorization", &*authorization('a'))];
        post(&proxy.http, "/v1/traces", &headers, &body(SIGNALS[0].0, "late")).is_none()
    });
    assert!(!proxy.admin.is_ready());
    let sent = traffic.stop();
    upstream.answer(Answer::Accept);
    assert!(proxy.ends());
    assert_eq!(proxy.logged("all that was accepted is sent"), 1);
    // All of it was there before the proxy ended.
    let came = upstream.spans().len();
    assert!(came >= sent, "{came} of {sent}");
    traffic.until_arrived(&upstream, sent);
}

#[test]
fn a_queue_that_is_full_says_so_to_the_sender_and_empties_when_it_can() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let options = ProxyOptions { queue_mib: Some(1), ..to(&upstream) };
    let proxy = Proxy::start(&options, &['a']);
    upstream.answer(Answer::Refuse(503, None));
    let headers = [("Authorization", &*authorization('a'))];
    let large = "x".repeat(100_000);
    let mut accepted = 0;
    let refused = loop {
        let body = body(SIGNALS[0].0, &format!("{accepted} {large}"));
        let answer = post(&proxy.http, "/v1/traces", &headers, &body).expect("an answer");
        match answer.status {
            200 => accepted += 1,
            other => break other,
        }
        assert!(accepted < 100, "the queue has no bound");
    };
    // Which tells an agent to try again.
    assert_eq!(refused, 503);
    std::thread::sleep(Duration::from_secs(2));
    assert!(proxy.admin.is_ready(), "a queue that is full is the upstream's affair");

    upstream.answer(Answer::Accept);
    until("all that was accepted has arrived", || upstream.requests().len() == accepted);
    let answer = post(&proxy.http, "/v1/traces", &headers, &body(SIGNALS[0].0, "again")).expect("an answer");
    assert_eq!(answer.status, 200);
}
