//! Who am I: leaves word for each container that got a device of ours.
//!
//! A device plugin is not told the pod. So there is a guess at once, from the pods that wait for such a device: where it is
//! one, it is known; where they are several, what they have in common is. Right after, the kubelet tells.

mod attributes;
mod sources;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::Device;
use epiphyte_daemon::{Backoff, ObjectKey, chain};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

pub(crate) use attributes::Attributes;
pub(crate) use sources::Sources;

use crate::kubelet::{PodResources, Used};
use crate::metrics::Metrics;
use crate::pods::{Container, Pod, Pods};
use crate::store::Store;

/// How long a container's start may be held up for a guess: for the pod to be seen, and for its `Source` to be read.
const GUESS_TAKES: Duration = Duration::from_millis(300);

/// How long the kubelet may take to tell of a device that it has asked for: a pod that it turns down after all is never
/// listed.
const UNKNOWN_AFTER: Duration = Duration::from_mins(1);

/// How long the pod may take to be seen that the kubelet has told of.
const UNSEEN_AFTER: Duration = Duration::from_secs(5);

/// A container: UID of its pod, and its name.
type Owner = (Box<str>, String);

/// Who containers are.
#[derive(Clone)]
pub(crate) struct Identities {
    node: Arc<str>,
    pods: Pods,
    sources: Sources,
    store: Store,
    pod_resources: PodResources,
    /// Devices whose containers are not known yet, since when. Written at `Allocate` and by `run`.
    open: Arc<Mutex<HashMap<String, Instant>>>,
    /// By device, the container that is known to have it. Written by `run`.
    known: Arc<Mutex<HashMap<String, Owner>>>,
    opened: Arc<Notify>,
    metrics: Metrics,
}

impl Identities {
    pub(crate) fn new(
        node: &str,
        pods: Pods,
        sources: Sources,
        store: Store,
        pod_resources: PodResources,
        metrics: Metrics,
    ) -> Self {
        let (open, known, opened) = Default::default();
        Self { node: node.into(), pods, sources, store, pod_resources, open, known, opened, metrics }
    }

    /// The text of the identity of a container that is about to get a device: all that can be told of it by now.
    pub(crate) async fn guess(&self, device: Device) -> String {
        let mut changes = self.pods.changes();
        let deadline = Instant::now() + GUESS_TAKES;
        loop {
            let candidates = self.candidates(device);
            let guess = async {
                let mut all = Vec::new();
                for (pod, container) in &candidates {
                    all.push(self.attributes(pod, container).await);
                }
                Attributes::common(all.into_iter())
            };
            if !candidates.is_empty() {
                return tokio::time::timeout_at(deadline, guess)
                    .await
                    .unwrap_or_else(|_| self.without_sources(&candidates))
                    .to_text();
            }
            // The kubelet may have seen the pod before us.
            if !matches!(tokio::time::timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                return String::new();
            }
        }
    }

    /// Finds out whose device it is.
    pub(crate) fn find_out(&self, id: &str) {
        self.known.lock().remove(id);
        self.open.lock().insert(id.to_owned(), Instant::now());
        self.opened.notify_one();
    }

    /// All about a container of a pod.
    pub(crate) async fn attributes(&self, pod: &Pod, container: &str) -> Attributes {
        let service = self.sources.service(&pod.key.namespace, &pod.workload).await;
        Attributes::of(pod, container, &self.node, service.as_deref())
    }

    fn without_sources(&self, candidates: &[(Arc<Pod>, Box<str>)]) -> Attributes {
        Attributes::common(candidates.iter().map(|(pod, container)| Attributes::of(pod, container, &self.node, None)))
    }

    /// Containers that ask for such a device, do not run yet and are not known to have one.
    fn candidates(&self, device: Device) -> Vec<(Arc<Pod>, Box<str>)> {
        let mut candidates = Vec::new();
        let known = self.known.lock();
        for pod in self.pods.all().into_iter().filter(|pod| !pod.finished) {
            let waits = |container: &&Container| {
                container.device == Some(device)
                    && container.running.is_none()
                    && !known.values().any(|(uid, name)| *uid == pod.uid && **name == *container.name)
            };
            candidates.extend(pod.containers.iter().filter(waits).map(|it| (Arc::clone(&pod), it.name.clone())));
        }
        candidates
    }

    /// Finds out for as long as it is polled. Begins with all devices that were given away before this start.
    pub(crate) async fn run(self) {
        for id in self.store.allocated() {
            self.find_out(&id);
        }
        loop {
            self.opened.notified().await;
            let mut backoff = Backoff::new(5, 1_000);
            while !self.open.lock().is_empty() {
                let before = self.open.lock().len();
                self.ask().await;
                if self.open.lock().len() < before {
                    backoff.reset();
                }
                // Another allocation is asked about at once.
                if timeout(backoff.wait(), self.opened.notified()).await.is_ok() {
                    backoff.reset();
                }
            }
        }
    }

    /// Asks the kubelet once, and leaves word for whom it tells of.
    async fn ask(&self) {
        let used = match self.pod_resources.used().await {
            Ok(used) => used,
            Err(error) => {
                debug!(error = %chain(&error), "cannot ask the kubelet whose devices are whose; trying again");
                Vec::new()
            }
        };
        for used in used {
            let since = self.open.lock().get(&used.id).copied();
            let Some(since) = since else { continue };
            let key = ObjectKey { namespace: used.namespace.as_str().into(), name: used.pod.as_str().into() };
            let attributes = match self.pods.get(&key) {
                Some(pod) => {
                    self.known.lock().insert(used.id.clone(), (pod.uid.clone(), used.container.clone()));
                    self.attributes(&pod, &used.container).await
                }
                None if since.elapsed() < UNSEEN_AFTER => continue,
                None => Attributes::of_unknown_pod(&used.namespace, &used.container, &self.node),
            };
            self.open.lock().remove(&used.id);
            self.leave_word(&used, &attributes).await;
        }
        self.open.lock().retain(|_, since| {
            let lasts = since.elapsed() < UNKNOWN_AFTER;
            if !lasts {
                self.metrics.identified("never_listed");
            }
            lasts
        });
    }

    async fn leave_word(&self, used: &Used, attributes: &Attributes) {
        if !used.device.preloads() {
            return;
        }
        let (store, id, text) = (self.store.clone(), used.id.clone(), attributes.to_text());
        let written = tokio::task::spawn_blocking(move || store.identify(&id, &text)).await;
        let (namespace, pod, container) = (&used.namespace, &used.pod, &used.container);
        match written {
            Ok(Ok(corrected)) => {
                self.metrics.identified(if corrected { "corrected" } else { "guessed" });
                debug!(namespace, pod, container, device = used.id, corrected, "the container is known");
            }
            Ok(Err(error)) => {
                self.metrics.identified("failed");
                warn!(namespace, pod, container, error = %chain(&error), "cannot leave word of who the container is");
            }
            Err(_) => {}
        }
    }
}
