//! From the API server into the index: one watch for each kind of object.

mod object;
mod read;
mod workload;

use std::collections::HashSet;

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use object::Object;
pub(crate) use object::{Served, Watched};

use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::failure::chain;
use crate::index::{
    Change, CollectorsGroupFact, DetailsFact, LumigoRecord, NamespaceRecord, NodeFact, SourceRecord, UninstallingMark,
};
use crate::metrics::Metrics;
use crate::synced::Synced;

/// Objects in one page of a first list: few, since a page is held whole while it is read.
const PAGE: u32 = 50;

/// Seconds after which the API server ends a watch; a few more without an event and the connection counts as dead.
/// Below the idle limits of common load balancers.
const WATCH_SECONDS: u32 = 200;

/// Where watches put what they see.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) synced: Synced,
    pub(crate) metrics: Metrics,
}

/// Starts all watches. They run until the set is dropped.
pub(crate) fn start(client: &Client, system_namespace: &str, sink: &Sink) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let everywhere = watcher::Config::default();
    let one = everywhere.clone().fields(&format!("metadata.name={UNINSTALLING_CONFIG_MAP}"));
    let mut cluster = Starter { watches: &mut watches, sink };
    cluster.watch::<workload::Of<workload::Deployment>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<workload::Of<workload::DaemonSet>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<workload::Of<workload::StatefulSet>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<workload::Of<workload::ReplicaSet>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<workload::Of<workload::CronJob>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<workload::Of<workload::Job>>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<NamespaceRecord>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<NodeFact>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<SourceRecord>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<LumigoRecord>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<DetailsFact>(Api::all(client.clone()), everywhere.clone());
    cluster.watch::<CollectorsGroupFact>(Api::namespaced(client.clone(), system_namespace), everywhere);
    cluster.watch::<UninstallingMark>(Api::namespaced(client.clone(), system_namespace), one);
    watches
}

struct Starter<'a> {
    watches: &'a mut JoinSet<()>,
    sink: &'a Sink,
}

impl Starter<'_> {
    fn watch<T: Watched>(&mut self, api: Api<Object<T>>, config: watcher::Config) {
        let sink = self.sink.clone();
        let awaited = sink.synced.expect(T::SERVED.plural);
        self.watches.spawn(async move {
            let mut watch = Watch::<T> {
                sink,
                awaited: Some(awaited),
                listing: HashSet::new(),
                told: None,
                _fact: std::marker::PhantomData,
            };
            let mut events = watcher(api, config.page_size(PAGE).timeout(WATCH_SECONDS)).default_backoff().boxed();
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => watch.event(event),
                    Ok(None) => return,
                    Err(error) => watch.error(&error),
                }
            }
        });
    }
}

/// One watch.
struct Watch<T> {
    sink: Sink,
    /// Readiness waits for this until the first list is complete.
    awaited: Option<crate::synced::Awaited>,
    /// Objects seen in the list that is under way.
    listing: HashSet<crate::index::ObjectKey>,
    /// The error that was told last, so that a lasting one is told once.
    told: Option<String>,
    _fact: std::marker::PhantomData<fn() -> T>,
}

impl<T: Watched> Watch<T> {
    fn event(&mut self, event: watcher::Event<Object<T>>) {
        if self.told.take().is_some() {
            info!(kind = T::SERVED.kind, "the watch works again");
        }
        self.sink.metrics.watch_event(T::SERVED.plural);
        let now = Timestamp::now();
        match event {
            watcher::Event::Apply(object) => self.apply(object, now),
            watcher::Event::Delete(object) => {
                let change = T::delete(&object.key(), &mut self.sink.index.write(), now);
                self.sink.dirty.mark(change);
            }
            watcher::Event::Init => self.listing.clear(),
            watcher::Event::InitApply(object) => {
                self.listing.insert(object.key());
                self.apply(object, now);
            }
            watcher::Event::InitDone => self.listed(now),
        }
    }

    fn apply(&self, object: Object<T>, now: Timestamp) {
        let key = object.key();
        match object.fact {
            Ok(fact) => {
                let change = fact.apply(&mut self.sink.index.write(), now);
                self.sink.dirty.mark(change);
            }
            Err(error) => {
                let (namespace, name) = (&*key.namespace, &*key.name);
                warn!(
                    kind = T::SERVED.kind,
                    namespace, name, error, "skipped an object that cannot be read; correct it"
                );
                self.sink.metrics.unreadable(T::SERVED.plural);
            }
        }
    }

    /// A list is complete: what it did not hold is gone.
    fn listed(&mut self, now: Timestamp) {
        let listing = std::mem::take(&mut self.listing);
        let mut index = self.sink.index.write();
        let mut changes: Vec<Change> = T::keys(&index)
            .iter()
            .filter(|key| !listing.contains(key))
            .map(|key| T::delete(key, &mut index, now))
            .collect();
        changes.push(T::listed(&mut index, now));
        drop(index);
        changes.into_iter().for_each(|change| self.sink.dirty.mark(change));
        debug!(kind = T::SERVED.kind, objects = listing.len(), "listed");
        self.awaited = None;
    }

    fn error(&mut self, error: &watcher::Error) {
        self.sink.metrics.watch_error(T::SERVED.plural);
        let text = chain(error);
        if self.told.as_ref() == Some(&text) {
            return;
        }
        let Served { group, plural, .. } = T::SERVED;
        match status_of(error) {
            Some(404) => warn!(
                resource = plural,
                group,
                "the API server does not know this resource; waiting for its CustomResourceDefinition (`epiphyte crds` prints it)"
            ),
            Some(403) => {
                warn!(resource = plural, group, error = %text, "not allowed; grant the verbs list and watch on this resource");
            }
            // The server forgot the version that we would go on from; a new list follows by itself.
            Some(410) => debug!(resource = plural, group, "the watch starts anew"),
            _ => warn!(resource = plural, group, error = %text, "the watch failed; trying again"),
        }
        self.told = Some(text);
    }
}

/// The HTTP status behind an error of a watch.
fn status_of(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// Reads an `InstrumentedApplication` as the index wants it; `None` if it cannot be read.
pub(crate) fn read_details(object: &serde_json::Value) -> Option<DetailsFact> {
    use serde::Deserialize as _;
    <DetailsFact as Watched>::Manifest::deserialize(object).ok().map(DetailsFact::read)
}
