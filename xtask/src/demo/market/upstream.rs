//! What arrives upstream of the telemetry proxy: what it adds to spans, and Kubernetes Events.

use console::style;
use epiphyte_testbed::otlp::{Request, Signal, Span};

use super::{NAMESPACE, TENANT};

/// What no agent can know, and the proxy adds.
const ADDED: [&str; 4] = ["k8s.deployment.uid", "k8s.replicaset.name", "k8s.node.name", "k8s.cluster.uid"];

/// The lines about a span and an Event that came under the namespace's token; nothing until both have come.
pub fn under_token(spans: &[Span], requests: &[Request]) -> Option<Vec<String>> {
    let span = spans.iter().find(|span| {
        span.authorization == TENANT && ADDED.iter().all(|attribute| span.resource.contains_key(*attribute))
    })?;
    let events = requests.iter().filter(|it| it.signal == Signal::Logs && it.authorization == TENANT);
    let event = events.flat_map(|request| &request.items).find(|item| {
        item.resource.get("k8s.namespace.name").is_some_and(|name| name == NAMESPACE)
            && item.attributes.contains_key("k8s.event.reason")
    })?;
    let mut lines = vec![format!("\n  {} of {}", style(&span.name).bold(), style(span.service()).cyan())];
    let attribute = |key: &&str| format!("    {key:<20} {}", span.resource.get(*key).map_or("", String::as_str));
    lines.extend(ADDED.iter().map(attribute));
    let of_event = |key: &str| event.attributes.get(key).map_or("", String::as_str);
    lines.push(format!("\n  {} {}", style(of_event("k8s.event.reason")).bold(), of_event("event.name")));
    lines.push(format!("    {:<20} {}", "k8s.event.uid", of_event("k8s.event.uid")));
    Some(lines)
}
