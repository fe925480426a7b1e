//! What a user adds to the Collectors' configurations: merged by the Collector, checked at the start, and no way for a token.

use epiphyte_testbed::otlp::{Receiver, Signal};
use serde_json::{Value, json};

use crate::client::{SIGNALS, body, post};
use crate::proxy::{Proxy, ProxyOptions, refused_at_start};
use crate::{DEADLINE, authorization};

/// The steps of a pipeline of *traffic*, with another at the end.
fn steps(more: &str) -> Value {
    json!(["memory_limiter", "transform/before", "k8sattributes", "transform/after", more])
}

#[test]
fn a_processor_that_a_user_adds_is_merged_into_the_pipeline_that_names_it_and_no_other() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let statement = "set(resource.attributes[\"team\"], \"blue $1\")";
    let extra = json!({ "traffic": {
        "processors": { "transform/mine": { "trace_statements": [statement] } },
        "service": { "pipelines": { "traces": { "processors": steps("transform/mine") } } },
    } });
    let options = ProxyOptions { upstream: upstream.url().to_owned(), extra, ..ProxyOptions::default() };
    let mut proxy = Proxy::start(&options, &['a']);
    for (signal, path) in SIGNALS {
        let answer = post(&proxy.http, path, &[("Authorization", &authorization('a'))], &body(signal, path));
        assert_eq!(answer.map(|it| it.status), Some(200), "{path}");
        let find = |requests: &[epiphyte_testbed::otlp::Request]| {
            requests.iter().flat_map(|it| &it.items).find(|it| it.name == path).cloned()
        };
        let item = upstream.wait_requests(path, DEADLINE, find).expect("it arrives");
        let team = item.resource.get("team").map(String::as_str);
        assert_eq!(team, (signal == Signal::Traces).then_some("blue $1"), "{path}");
        // What was not named is as it was.
        assert_eq!(item.resource.get("k8s.cluster.name").map(String::as_str), Some("loop\"back $1"));
    }
    proxy.terminate();
    assert!(proxy.ends());
    assert_eq!(proxy.logged("all that was accepted is sent"), 1);
}

/// What a proxy says that is not to start with this added.
fn refused(extra: &Value) -> String {
    refused_at_start(&json!({ "extra": extra }).to_string())
}

#[test]
fn what_a_user_adds_wrongly_is_told_at_the_start_in_the_collectors_words() {
    let unknown = json!({ "processors": { "sparkle": {} } });
    let misspelt = json!({ "processors": { "transform/x": { "trace_statement": [] } } });
    let missing = json!({ "service": { "pipelines": { "logs": { "processors": ["transform/none"] } } } });
    for (added, named) in [(unknown, "sparkle"), (misspelt, "trace_statement"), (missing, "transform/none")] {
        for collector in ["traffic", "events"] {
            let said = refused(&json!({ (collector): added }));
            assert!(said.contains(named) && said.contains(&format!("configuration of {collector}")), "{named}: {said}");
        }
    }
}

#[test]
fn what_a_user_adds_brings_no_file_into_a_configuration() {
    for text in ["${file:/run/epiphyte/admitted}", "$${file:/run/epiphyte/admitted}", "${env:HOME}"] {
        let said = refused(&json!({ "traffic": { "exporters": { "otlp_http": { "headers": { "x": text } } } } }));
        assert!(said.contains("could be a token"), "{said}");
    }
    let said = refused(&json!({ "events": { "service": { "telemetry": { "metrics": { "level": "none" } } } } }));
    assert!(said.contains("service.telemetry"), "{said}");
}

#[test]
fn the_check_of_what_a_user_adds_leaves_no_token_and_takes_no_queue_away() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let extra = json!({ "events": { "exporters": {} } });
    let options = ProxyOptions { upstream: upstream.url().to_owned(), extra, ..ProxyOptions::default() };
    let mut proxy = Proxy::start(&options, &['a']);
    proxy.terminate();
    assert!(proxy.ends());
    // Of a token that the manager will list, but has not yet.
    let queue = proxy.path("queue/events/exporter_otlp_http_0123456789abcdef_logs");
    std::fs::write(&queue, "").expect("written");
    proxy.run();
    assert!(queue.exists());
    assert_eq!(std::fs::read_dir(proxy.path("run/tokens")).expect("read").count(), 0);
}
