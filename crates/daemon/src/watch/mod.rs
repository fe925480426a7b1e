//! From the API server to whoever keeps what it says: a watch that goes on through every failure.

mod object;

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use tracing::{info, warn};

pub use object::{Named, Object, ObjectKey, Served, Watched};

use crate::{Awaited, chain};

/// Seconds after which the API server ends a watch; a few more without an event and the connection counts as dead.
/// Below the idle limits of common load balancers.
const WATCH_SECONDS: u32 = 200;

/// Keeps what a watch sees of the objects of a kind.
pub trait Sink<T> {
    /// Something was delivered, were it but the start of a list.
    fn delivered(&self);
    /// An object is new or has changed.
    fn apply(&self, key: ObjectKey, content: T);
    /// An object cannot be read, which has been told.
    fn skip(&self, key: &ObjectKey);
    /// An object is gone.
    fn delete(&self, key: &ObjectKey);
    /// A list is complete: what it did not hold is gone.
    fn listed(&self, keys: &HashSet<ObjectKey>);
    /// The watch failed; it tries again.
    fn failed(&self);
    /// Whether a failure says that there are no objects, as where the kind is not served.
    fn is_empty(&self, _error: &watcher::Error) -> bool {
        false
    }
    /// Tells of a failure, unless it is the same that was told last. Answers whether its end is to be told too.
    fn tell(&self, error: &watcher::Error, text: &str) -> bool;
}

/// Watches the objects of a kind for as long as it is polled. Failures are told and tried again.
///
/// The page size in `config` bounds what of a list is held at a time. Readiness waits for `awaited` until the first list is
/// complete.
pub async fn watch<T: Watched>(api: Api<Object<T>>, config: watcher::Config, sink: impl Sink<T>, awaited: Awaited) {
    let mut watch = Watch { sink, awaited: Some(awaited), listing: HashSet::new(), told: None };
    let mut events = watcher(api, config.timeout(WATCH_SECONDS)).default_backoff().boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => watch.event(event),
            Ok(None) => return,
            Err(error) => watch.error(&error),
        }
    }
}

struct Watch<S> {
    sink: S,
    /// Readiness waits for this until the first list is complete.
    awaited: Option<Awaited>,
    /// Objects seen in the list that is under way.
    listing: HashSet<ObjectKey>,
    /// The error that was told last, so that a lasting one is told once.
    told: Option<String>,
}

impl<S> Watch<S> {
    fn event<T: Watched>(&mut self, event: watcher::Event<Object<T>>)
    where
        S: Sink<T>,
    {
        if self.told.take().is_some() {
            info!(kind = T::SERVED.kind, "the watch works again");
        }
        self.sink.delivered();
        match event {
            watcher::Event::Apply(object) => self.apply(object),
            watcher::Event::Delete(object) => self.sink.delete(&object.key()),
            watcher::Event::Init => self.listing.clear(),
            watcher::Event::InitApply(object) => {
                self.listing.insert(object.key());
                self.apply(object);
            }
            watcher::Event::InitDone => {
                self.sink.listed(&std::mem::take(&mut self.listing));
                self.awaited = None;
            }
        }
    }

    fn apply<T: Watched>(&self, object: Object<T>)
    where
        S: Sink<T>,
    {
        let key = object.key();
        match object.content {
            Ok(content) => self.sink.apply(key, content),
            Err(error) => {
                let (namespace, name) = (&*key.namespace, &*key.name);
                warn!(
                    kind = T::SERVED.kind,
                    namespace, name, error, "skipped an object that cannot be read; correct it"
                );
                self.sink.skip(&key);
            }
        }
    }

    fn error<T>(&mut self, error: &watcher::Error)
    where
        S: Sink<T>,
    {
        if self.sink.is_empty(error) {
            self.sink.listed(&HashSet::new());
            self.awaited = None;
            return;
        }
        self.sink.failed();
        let text = chain(error);
        if self.told.as_ref() != Some(&text) && self.sink.tell(error, &text) {
            self.told = Some(text);
        }
    }
}
