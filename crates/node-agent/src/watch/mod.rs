//! From the API server into maps that the rooms share: one watch for the pods of this node, one for pending questions.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use epiphyte_daemon::{Awaited, Object, ObjectKey, Sink, Watched};
use kube::Api;
use kube::runtime::watcher;
use parking_lot::RwLock;
use tokio::sync::watch;
use tracing::warn;

use crate::metrics::Metrics;

/// Objects in one page of a first list: few, since a page is held whole while it is read.
const PAGE: u32 = 30;

/// The objects of a kind as the API server last told of them. Never held over an await.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    /// Written by the watch; by others only to take over what the API server answered them.
    objects: Arc<RwLock<BTreeMap<ObjectKey, Arc<T>>>>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { objects: Arc::clone(&self.objects), changes: self.changes.clone() }
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { objects: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl<T> Shared<T> {
    /// All objects, by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.objects.read().values().cloned().collect()
    }

    /// One object.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.objects.read().get(key).cloned()
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Puts an object in.
    pub(crate) fn apply(&self, key: ObjectKey, object: T) {
        self.objects.write().insert(key, Arc::new(object));
        self.changed();
    }

    /// Takes an object out.
    pub(crate) fn delete(&self, key: &ObjectKey) {
        self.objects.write().remove(key);
        self.changed();
    }

    fn retain(&self, keys: &HashSet<ObjectKey>) {
        self.objects.write().retain(|key, _| keys.contains(key));
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Keeps the objects of a kind up to date for as long as it is polled. Failures are told and tried again.
pub(crate) async fn keep<T: Watched>(
    api: Api<Object<T>>,
    config: watcher::Config,
    objects: Shared<T>,
    awaited: Awaited,
    metrics: Metrics,
) {
    epiphyte_daemon::watch(api, config.page_size(PAGE), Kept { objects, metrics }, awaited).await;
}

struct Kept<T> {
    objects: Shared<T>,
    metrics: Metrics,
}

impl<T: Watched> Sink<T> for Kept<T> {
    fn delivered(&self) {}

    fn apply(&self, key: ObjectKey, content: T) {
        self.objects.apply(key, content);
    }

    fn skip(&self, key: &ObjectKey) {
        // What it said before no longer holds.
        self.objects.delete(key);
    }

    fn delete(&self, key: &ObjectKey) {
        self.objects.delete(key);
    }

    fn listed(&self, keys: &HashSet<ObjectKey>) {
        self.objects.retain(keys);
    }

    fn failed(&self) {
        self.metrics.watch_error(T::SERVED.plural);
    }

    fn tell(&self, error: &watcher::Error, text: &str) -> bool {
        // The server forgot the version that we would go on from; a new list follows by itself.
        let forgot = matches!(error, watcher::Error::WatchError(it) if it.code == 410);
        if !forgot {
            warn!(resource = T::SERVED.plural, error = %text, "the watch failed; trying again");
        }
        !forgot
    }
}
