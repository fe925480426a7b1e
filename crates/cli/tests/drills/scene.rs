//! What several drills play: workloads, and what is written about them.

use epiphyte_api::WorkloadKind::{self, Deployment};
use epiphyte_testbed::{Entry, Mark};
use serde_json::Value;

use crate::support::*;

/// Marks a new Deployment, answers for it, and waits until everything that is to be said of it has been said: whatever
/// the operator had to do before it did this.
pub async fn see_handled(cluster: &Cluster, namespace: &str, name: &str) {
    cluster.apply(&annotated(idle(deployment(namespace, name)), "true")).await;
    cluster.answer(Deployment, namespace, name, &[("app", "java")]).await;
    cluster.until_devices(Deployment, namespace, name, &[("app", JAVA)]).await;
    cluster.until_reason(Deployment, namespace, name, "Instrumented", "Instrumented").await;
    cluster.until_event(namespace, name, "LumigoAddedInstrumentation").await;
    assert_eq!(cluster.generation(Deployment, namespace, name).await, 2, "{name} was changed once");
}

/// What the operator has written since a mark about anything but the workload of a name, leases aside.
pub fn other_writes(cluster: &Cluster, mark: Mark, but: &str) -> Vec<String> {
    let about_it = |entry: &Entry| entry.object_ref.as_ref().is_some_and(|object| object.name.contains(but));
    // The name of an Event that is created stands in its body alone.
    let tells_of_it = |entry: &Entry| {
        let told = entry.request_object.as_ref().and_then(|body| body.pointer("/involvedObject/name"));
        let asked = entry.request_object.as_ref().and_then(|body| body.pointer("/metadata/name"));
        [told, asked].into_iter().flatten().any(|name| name.as_str().is_some_and(|name| name.contains(but)))
    };
    let writes = cluster.operator_writes(mark);
    writes.iter().filter(|entry| !about_it(entry) && !tells_of_it(entry)).map(line).collect()
}

/// A write in a line.
pub fn line(entry: &Entry) -> String {
    format!("{} {} {}", entry.user.username, entry.verb, entry.request_uri)
}

/// Names of the workloads of a kind that a user has patched since a mark, once for each patch.
pub fn patched(cluster: &Cluster, user: &str, mark: Mark, kind: WorkloadKind) -> Vec<String> {
    let writes = cluster.writes_of(user, mark);
    let patches = writes.into_iter().filter(|entry| entry.verb == "patch" && entry.is_about(kind.plural()));
    patches.filter_map(|entry| Some(entry.object_ref?.name)).collect()
}

/// Image of our init container in a Deployment, if it is there.
pub fn agents_image(workload: &Value) -> Option<&str> {
    let init = workload.pointer("/spec/template/spec/initContainers")?.as_array()?;
    init.iter().find(|it| it["name"] == "lumigo-injector")?.get("image")?.as_str()
}

/// Waits until a Deployment has our init container.
pub async fn until_injected(cluster: &Cluster, namespace: &str, name: &str) {
    until(&format!("{namespace}/{name} is injected"), || async {
        agents_image(&cluster.workload(Deployment, namespace, name).await).is_some()
    })
    .await;
}
