//! Objects, Events, logs and versions.

use serde_json::{Value, json};

use super::archive::Pile;
use super::redact;
use crate::audit::{
    BESIDE, DEFINITIONS, DETAILS, GROUPS, LEASES, LUMIGOES, NODES, PODS, RIGHTS, RUNNING, SOURCES, WEBHOOKS,
    has_our_webhook, selector, text,
};
use crate::cluster::{Cluster, Refusal, Resource};

const EVENTS: Resource = Resource { group: "", version: "v1", kind: "Event", plural: "events" };

/// How much of a container's log is taken, from its end.
const LOG: &str = "tailLines=20000&limitBytes=8388608&timestamps=true";

/// What a list is of.
enum Of<'a> {
    Everything,
    Ours,
    Namespace(&'a str),
}

pub(super) async fn collect(cluster: &Cluster, system: &str, pile: &mut Pile) -> anyhow::Result<()> {
    let version = cluster.ask("/version").await?.json();
    pile.add(
        "versions.json",
        crate::show::json(&json!({ "epiphyte": env!("CARGO_PKG_VERSION"), "kubernetes": version }))?,
    );
    for resource in [&LUMIGOES, &SOURCES, &DETAILS, &GROUPS] {
        objects(cluster, resource, Of::Everything, |_| true, pile).await?;
    }
    objects(cluster, &WEBHOOKS, Of::Everything, has_our_webhook, pile).await?;
    objects(cluster, &DEFINITIONS, Of::Ours, |_| true, pile).await?;
    for resource in RUNNING.iter().chain(&BESIDE).chain(&RIGHTS) {
        objects(cluster, resource, Of::Ours, |_| true, pile).await?;
    }
    objects(cluster, &LEASES, Of::Namespace(system), |_| true, pile).await?;
    objects(cluster, &NODES, Of::Everything, |_| true, pile).await?;
    let pods = objects(cluster, &PODS, Of::Ours, |_| true, pile).await?;

    let mut namespaces: Vec<&str> = pods.iter().map(|pod| text(pod, "/metadata/namespace")).chain([system]).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let is_ours = |event: &Value| {
        let component = text(event, "/source/component");
        namespaces.contains(&text(event, "/metadata/namespace"))
            || ["epiphyte", "lumigo-operator."].iter().any(|ours| component.starts_with(ours))
    };
    objects(cluster, &EVENTS, Of::Everything, is_ours, pile).await?;
    for pod in &pods {
        logs(cluster, pod, pile).await?;
    }
    Ok(())
}

/// Adds the objects of a kind as one file, and gives them.
async fn objects(
    cluster: &Cluster,
    resource: &Resource,
    of: Of<'_>,
    keep: impl Fn(&Value) -> bool,
    pile: &mut Pile,
) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    let each = |it: Value| {
        if keep(&it) {
            found.push(redact::object(it));
        }
    };
    let listed = match of {
        Of::Everything => cluster.list(resource, None, None, each).await,
        Of::Ours => cluster.list_labelled(resource, &selector(), each).await,
        Of::Namespace(namespace) => cluster.list(resource, Some(namespace), None, each).await,
    };
    match listed {
        Ok(()) => {}
        Err(Refusal::Unserved(why) | Refusal::Forbidden(why)) => pile.missing(why),
        Err(Refusal::Fatal(error)) => return Err(error),
    }
    if !found.is_empty() {
        let path = format!("objects/{}.json", resource.full_name());
        let list = json!({ "kind": resource.kind, "apiVersion": resource.api_version(), "items": found });
        pile.add(path, crate::show::json(&list)?);
    }
    Ok(found)
}

/// Adds the logs of a pod's containers, and of those that ran before them.
async fn logs(cluster: &Cluster, pod: &Value, pile: &mut Pile) -> anyhow::Result<()> {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    for container in list("/spec/initContainers").chain(list("/spec/containers")) {
        let container = text(container, "/name");
        for (when, suffix) in [("", ""), ("&previous=true", ".previous")] {
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}&{LOG}{when}");
            let answer = cluster.ask(&path).await?;
            match answer.status {
                200 => {
                    let log = String::from_utf8_lossy(&answer.body);
                    pile.add(format!("logs/{namespace}/{name}/{container}{suffix}.log"), log);
                }
                // There was none before.
                400 if !when.is_empty() => {}
                status => {
                    let said = answer.json();
                    let why = text(&said, "/message");
                    pile.missing(format!("log of {container}{suffix} of pod {namespace}/{name}: {status} {why}"));
                }
            }
        }
    }
    Ok(())
}
