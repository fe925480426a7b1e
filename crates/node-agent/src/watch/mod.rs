//! From the API server into maps that the rooms share: one watch for the pods of this node, one for pending questions.

mod object;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use parking_lot::RwLock;
use tokio::sync::watch;
use tracing::{info, warn};

pub(crate) use object::{Key, Object, Served, Watched};

use crate::failure::chain;
use crate::metrics::Metrics;
use crate::ready::Awaited;

/// Objects in one page of a first list: few, since a page is held whole while it is read.
const PAGE: u32 = 30;

/// Seconds after which the API server ends a watch; a few more without an event and the connection counts as dead.
const WATCH_SECONDS: u32 = 200;

/// The objects of a kind as the API server last told of them. Never held over an await.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    /// Written by the watch; by others only to take over what the API server answered them.
    objects: Arc<RwLock<BTreeMap<Key, Arc<T>>>>,
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
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.objects.read().get(key).cloned()
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Puts an object in.
    pub(crate) fn apply(&self, key: Key, object: T) {
        self.objects.write().insert(key, Arc::new(object));
        self.changed();
    }

    /// Takes an object out.
    pub(crate) fn delete(&self, key: &Key) {
        self.objects.write().remove(key);
        self.changed();
    }

    fn retain(&self, keys: &HashSet<Key>) {
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
    let mut watch = Watch { objects, awaited: Some(awaited), listing: HashSet::new(), told: None, metrics };
    let mut events = watcher(api, config.page_size(PAGE).timeout(WATCH_SECONDS)).default_backoff().boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => watch.event(event),
            Ok(None) => return,
            Err(error) => watch.error(&error),
        }
    }
}

struct Watch<T> {
    objects: Shared<T>,
    /// Readiness waits for this until the first list is complete.
    awaited: Option<Awaited>,
    /// Objects seen in the list that is under way.
    listing: HashSet<Key>,
    /// The error that was told last, so that a lasting one is told once.
    told: Option<String>,
    metrics: Metrics,
}

impl<T: Watched> Watch<T> {
    fn event(&mut self, event: watcher::Event<Object<T>>) {
        if self.told.take().is_some() {
            info!(kind = T::SERVED.kind, "the watch works again");
        }
        match event {
            watcher::Event::Apply(object) => self.apply(object),
            watcher::Event::Delete(object) => self.objects.delete(&object.key()),
            watcher::Event::Init => self.listing.clear(),
            watcher::Event::InitApply(object) => {
                self.listing.insert(object.key());
                self.apply(object);
            }
            watcher::Event::InitDone => {
                self.objects.retain(&std::mem::take(&mut self.listing));
                self.awaited = None;
            }
        }
    }

    fn apply(&self, object: Object<T>) {
        let key = object.key();
        match object.content {
            Ok(content) => self.objects.apply(key, content),
            Err(error) => {
                let (namespace, name) = (&*key.namespace, &*key.name);
                warn!(
                    kind = T::SERVED.kind,
                    namespace, name, error, "skipped an object that cannot be read; correct it"
                );
                // What it said before no longer holds.
                self.objects.delete(&key);
            }
        }
    }

    fn error(&mut self, error: &watcher::Error) {
        self.metrics.watch_error(T::SERVED.plural);
        let text = chain(error);
        // The server forgot the version that we would go on from; a new list follows by itself.
        if self.told.as_ref() != Some(&text) && !matches!(error, watcher::Error::WatchError(it) if it.code == 410) {
            warn!(resource = T::SERVED.plural, error = %text, "the watch failed; trying again");
            self.told = Some(text);
        }
    }
}
