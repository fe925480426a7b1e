//! What is said to an API server, and how its Events are found upstream again.

use std::collections::BTreeSet;

use epiphyte_testbed::ControlPlane;
use epiphyte_testbed::otlp::{Item, Receiver, Request};
use serde_json::{Value, json};

use crate::{DEADLINE, authorization, until};

pub fn apply(plane: &ControlPlane, object: &Value) {
    plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &object.to_string()).expect("it is applied");
}

pub fn namespace(plane: &ControlPlane, name: &str) {
    apply(plane, &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
}

/// The uid of a namespace.
pub fn uid(plane: &ControlPlane, namespace: &str) -> String {
    plane.kubectl_with(&["get", "namespace", namespace, "-o", "jsonpath={.metadata.uid}"], "").expect("a uid")
}

pub fn event(plane: &ControlPlane, namespace: &str, name: &str) {
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "namespace": namespace, "name": name },
        "involvedObject": { "kind": "Pod", "namespace": namespace, "name": "pod" },
        "reason": "Tested", "message": name, "type": "Warning",
    });
    apply(plane, &event);
}

/// The records of an Event, by its name, each with the header that it came under.
pub fn records(requests: &[Request], event: &str) -> Vec<(String, Item)> {
    let is_about = |item: &&Item| item.attributes.get("event.name").is_some_and(|name| name == event);
    let of_one = |request: &Request| {
        let items = request.items.iter().filter(is_about);
        items.map(|item| (request.authorization.clone(), item.clone())).collect::<Vec<_>>()
    };
    requests.iter().flat_map(of_one).collect()
}

/// The headers under which an Event came.
pub fn under(requests: &[Request], event: &str) -> BTreeSet<String> {
    records(requests, event).into_iter().map(|(authorization, _)| authorization).collect()
}

/// Waits until an Event is upstream under a token.
pub fn arrives(upstream: &Receiver, event: &str, digit: char) {
    let came = |requests: &[Request]| under(requests, event).contains(&authorization(digit)).then_some(());
    upstream.wait_requests(event, DEADLINE, came).expect("the Event arrives");
}

/// Makes Events until one arrives, and gives its name: one that falls between the two lists at the start of a Collector comes with
/// the next list only.
pub fn live(plane: &ControlPlane, upstream: &Receiver, namespace: &str, digit: char) -> String {
    let mut arrived = None;
    let mut number = 0;
    let before = upstream.requests().len();
    until(&format!("an Event of {namespace} arrives"), || {
        number += 1;
        event(plane, namespace, &format!("live-{namespace}-{before}-{number}"));
        let requests = upstream.requests();
        let mut names = (1..=number).map(|number| format!("live-{namespace}-{before}-{number}"));
        arrived = names.find(|name| under(&requests, name).contains(&authorization(digit)));
        arrived.is_some()
    });
    arrived.expect("one arrived")
}
