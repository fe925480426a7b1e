//! Go by eBPF: a session for each running container of this node that has the device.

mod environment;
mod outcome;
mod session;

use std::collections::HashMap;
use std::sync::Arc;

use epiphyte_api::Device;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use session::Tools;

use session::Session;

use crate::pods::{Pod, Pods};

/// Keeps a session for each Go container until told to stop; then ends them all, and waits until they have.
pub(crate) async fn run(tools: Tools, pods: Pods, stop: CancellationToken) {
    let mut changes = pods.changes();
    let mut sessions: HashMap<Box<str>, CancellationToken> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        changes.mark_unchanged();
        let wanted = containers(&pods);
        sessions.retain(|id, session| {
            let lasts = wanted.contains_key(id);
            if !lasts {
                session.cancel();
            }
            lasts
        });
        for (id, (pod, container)) in wanted {
            if !sessions.contains_key(&id) {
                let token = stop.child_token();
                sessions.insert(id.clone(), token.clone());
                tasks.spawn(Session { tools: tools.clone(), pod, container, id }.run(token));
            }
        }
        while tasks.try_join_next().is_some() {}
        // The sender lives in `pods`, so waiting cannot fail.
        if stop.run_until_cancelled(changes.changed()).await.is_none() {
            break;
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// The running containers with the device, by their ids.
fn containers(pods: &Pods) -> HashMap<Box<str>, (Arc<Pod>, Box<str>)> {
    let mut found = HashMap::new();
    for pod in pods.all().into_iter().filter(|pod| !pod.finished) {
        for container in pod.containers.iter().filter(|container| container.device == Some(Device::Go)) {
            if let Some(running) = &container.running {
                found.insert(running.id.clone(), (Arc::clone(&pod), container.name.clone()));
            }
        }
    }
    found
}
