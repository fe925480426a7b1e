//! What is wrong with the manager's files, with tokens, and with what clients send, stops nothing else.

use epiphyte_testbed::otlp::{Receiver, Signal};
use serde_json::{Value, json};

use crate::client::{body, post};
use crate::proxy::{Proxy, ProxyOptions, refused_at_start};
use crate::{authorization, token, until};

fn start(upstream: &Receiver) -> Proxy {
    Proxy::start(&ProxyOptions { upstream: upstream.url().to_owned(), ..ProxyOptions::default() }, &['a'])
}

fn status(proxy: &Proxy, digit: char) -> Option<u16> {
    let headers = [("Authorization", &*authorization(digit))];
    post(&proxy.http, "/v1/traces", &headers, &body(Signal::Traces, "span")).map(|answer| answer.status)
}

fn entries(proxy: &Proxy, file: &str) -> f64 {
    proxy.admin.metric("epiphyte_proxy_entries", &[&format!("file=\"{file}\"")])
}

#[test]
fn a_file_that_cannot_be_made_out_changes_nothing_and_what_means_none_does() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let unreadable = || proxy.admin.metric("epiphyte_proxy_unreadable_files_total", &["tokens"]);
    let whole = json!([token('a'), token('b')]).to_string();
    for broken in ["", "{", &whole[..whole.len() - 3], "\"t_\"", "\u{0}"] {
        let before = unreadable();
        proxy.write_token_file(broken.as_bytes());
        until(&format!("{broken:?} is seen"), || unreadable() > before);
        assert_eq!(status(&proxy, 'a'), Some(200), "{broken:?}");
    }
    proxy.write_token_file(whole.as_bytes());
    until("the whole file counts", || status(&proxy, 'b') == Some(200));
    for none in ["null", "[]"] {
        proxy.write_tokens(&['a']);
        until("a token counts", || status(&proxy, 'a') == Some(200));
        proxy.write_token_file(none.as_bytes());
        until("none does", || status(&proxy, 'a') == Some(401));
    }
    assert!(proxy.admin.is_ready());
    assert_eq!(proxy.logged("started the Collector collector=\"traffic\""), 1);
}

#[test]
fn a_poisoned_token_is_refused_and_adds_no_configuration() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let (good, bad) = (token('b'), token('c'));
    let poisoned = [
        format!("{bad}\nexporters:\n  otlp_http/evil:\n    endpoint: http://evil.example\n"),
        format!("{bad}\"}},\"exporters\":{{\"otlp_http/evil\":{{}}}},\"x\":{{\"y\":\""),
        format!("${{file:/etc/passwd}}{bad}"),
        format!("{bad}${{env:HOME}}"),
        format!("{bad}\r\nX-Evil: 1"),
        "*".to_owned(),
    ];
    let mut tokens = vec![Value::from(good.clone())];
    tokens.extend(poisoned.iter().map(|token| Value::from(token.clone())));
    let mut namespaces = vec![json!({ "name": "good", "uid": "1", "token": good })];
    namespaces.extend(
        poisoned
            .iter()
            .enumerate()
            .map(|(at, token)| json!({ "name": format!("evil-{at}"), "uid": "2", "token": token })),
    );
    namespaces.push(json!({ "name": "x\" or true", "uid": "3", "token": token('b') }));
    proxy.write_token_file(Value::from(tokens).to_string().as_bytes());
    proxy.write_namespaces(Value::from(namespaces).to_string().as_bytes());
    until("the good token counts", || status(&proxy, 'b') == Some(200));
    until("the Events of the good namespace are collected", || proxy.path("run/events.json").exists());

    assert_eq!(status(&proxy, 'c'), Some(401));
    let configuration = std::fs::read_to_string(proxy.path("run/events.json")).expect("read");
    for part in ["evil", "or true", "passwd"] {
        assert!(!configuration.contains(part), "{part} is in:\n{configuration}");
    }
    assert_eq!(configuration.matches("\"condition\"").count(), 1);
    assert_eq!(std::fs::read_dir(proxy.path("run/tokens")).expect("read").count(), 1);
    for at in 0..poisoned.len() {
        assert_eq!(proxy.logged(&format!("entry=\"evil-{at}\"")), 1);
    }
    assert_eq!(proxy.admin.metric("epiphyte_proxy_refused_entries", &["namespaces"]), 7.0);
    assert!(!proxy.log().contains("ccc"), "a token is in the log");
}

#[test]
fn ten_thousand_namespaces_are_served_and_those_beyond_the_bound_are_named() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let token_of = |number: usize| format!("t_{:021x}", 1_000_000 + number);
    let uid_of = |number: usize| format!("{number:08x}-0000-4000-8000-000000000000");
    let many: Vec<Value> = (0..10_000)
        .map(|at| json!({ "name": format!("ns-{at:05}"), "uid": uid_of(at), "token": token_of(at) }))
        .collect();
    let tokens: Vec<String> = (0..10_000).map(token_of).collect();
    proxy.write_token_file(Value::from(tokens).to_string().as_bytes());
    proxy.write_namespaces(Value::from(many).to_string().as_bytes());
    until("all tokens count", || (entries(&proxy, "tokens") - 10_000.0).abs() < 0.5);
    let last = format!("LumigoToken {}", token_of(9_999));
    until("the last token is good", || {
        let headers = [("Authorization", &*last)];
        post(&proxy.http, "/v1/traces", &headers, &body(Signal::Traces, "span")).is_some_and(|it| it.status == 200)
    });
    until("all namespaces are read", || (entries(&proxy, "namespaces") - 10_000.0).abs() < 0.5);
    until("those beyond are named", || proxy.logged("namespace=\"ns-00500\"") == 1);
    until("the configuration is in force", || proxy.path("run/events.json").exists());

    // Now all of them are within the bound, which is of tokens.
    let uid = |at: usize| format!("00000000-0000-4000-8000-{at:012x}");
    let many: Vec<Value> = (0..10_000)
        .map(|at| json!({ "name": format!("ns-{at:05}"), "uid": uid(at), "token": token_of(at % 10) }))
        .collect();
    proxy.write_namespaces(Value::from(many).to_string().as_bytes());
    until("all namespaces count", || proxy.logged("the Events of these namespaces are collected") == 2);
    assert!(proxy.admin.is_ready());
}

#[test]
fn a_configuration_that_the_collector_refuses_leaves_the_last_good_one_in_force_until_it_takes_it() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    proxy.monitor(&[("shop", 'a')]);
    until("the first is in force", || proxy.logged("namespaces=1") == 1);
    let configuration = || std::fs::read(proxy.path("run/events.json")).expect("read");
    let good = configuration();

    // A queue without a folder is what the Collector does not take.
    let (folder, aside) = (proxy.path("queue/events"), proxy.path("aside"));
    std::fs::rename(&folder, &aside).expect("moved");
    proxy.monitor(&[("shop", 'a'), ("web", 'b')]);
    until("it is refused", || proxy.logged("the last good configuration stays in force") >= 1);
    assert_eq!(configuration(), good);
    assert!(proxy.admin.metric("epiphyte_proxy_invalid_configurations_total", &["events"]) >= 1.0);

    std::fs::rename(&aside, &folder).expect("moved back");
    until("it is taken", || proxy.logged("namespaces=2") == 1);
    assert_ne!(configuration(), good);
}

#[test]
fn the_older_list_of_namespaces_is_understood_and_none_ends_the_collection() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    proxy.write_namespaces(json!({ "shop": token('a'), "web": token('b') }).to_string().as_bytes());
    until("both are collected", || proxy.logged("namespaces=2") == 1);
    let queues = || std::fs::read_dir(proxy.path("queue/events")).expect("read").count();
    until("each token has a queue", || queues() == 2);
    proxy.write_namespaces(b"[{\"name\":");
    until("it is seen", || proxy.admin.metric("epiphyte_proxy_unreadable_files_total", &["namespaces"]) >= 1.0);
    assert!(proxy.path("run/events.json").exists());
    proxy.write_namespaces(b"null");
    until("none is collected", || proxy.logged("namespaces=0") == 1);
    let tokens = || std::fs::read_dir(proxy.path("run/tokens")).expect("read").count();
    until("neither tokens nor queues are left behind", || tokens() + queues() == 0);
}

#[test]
fn settings_that_the_collector_does_not_take_are_told_at_the_start() {
    let said = refused_at_start("tokenless: {url: 'http://a:1', authorizationFile: /does/not/exist}");
    assert!(said.contains("/does/not/exist"), "{said}");
}
