//! From the API server into the index: one watch for each kind of object.

mod read;
mod workload;

use std::collections::HashSet;

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use epiphyte_daemon::{Object, ObjectKey, Ready, Served, Watched, watch};
use jiff::Timestamp;
use kube::runtime::watcher;
use kube::{Api, Client};
use serde::Deserialize as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::index::{
    Change, CollectorsGroupFact, DetailsFact, Fact, LumigoRecord, NamespaceRecord, NodeFact, SourceRecord,
    UninstallingMark,
};
use crate::metrics::Metrics;
use crate::purpose::Purpose;

/// Objects in one page of a first list: few, since a page is held whole while it is read.
pub(crate) const PAGE: u32 = 50;

/// Where watches put what they see.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) synced: Ready,
    pub(crate) metrics: Metrics,
    pub(crate) purpose: Purpose,
    /// Cancelled once the cluster says that Epiphyte is uninstalled.
    pub(crate) over: CancellationToken,
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
    fn watch<T: Watched + Fact>(&mut self, api: Api<Object<T>>, config: watcher::Config) {
        let awaited = self.sink.synced.expect(T::SERVED.plural);
        self.watches.spawn(watch(api, config.page_size(PAGE), self.sink.clone(), awaited));
    }
}

impl<T: Watched + Fact> epiphyte_daemon::Sink<T> for Sink {
    fn delivered(&self) {
        self.metrics.watch_event(T::SERVED.plural);
    }

    fn apply(&self, _key: ObjectKey, fact: T) {
        let mut index = self.index.write();
        let change = fact.apply(&mut index, Timestamp::now());
        if index.is_uninstalled() {
            self.over.cancel();
        }
        drop(index);
        self.dirty.mark(change);
    }

    fn skip(&self, _key: &ObjectKey) {
        self.metrics.unreadable(T::SERVED.plural);
    }

    fn delete(&self, key: &ObjectKey) {
        let change = T::delete(key, &mut self.index.write(), Timestamp::now());
        self.dirty.mark(change);
    }

    fn listed(&self, keys: &HashSet<ObjectKey>) {
        let (mut index, now) = (self.index.write(), Timestamp::now());
        let gone = T::keys(&index).into_iter().filter(|key| !keys.contains(key));
        let mut changes: Vec<Change> = gone.map(|key| T::delete(&key, &mut index, now)).collect();
        changes.push(T::listed(&mut index, now));
        drop(index);
        changes.into_iter().for_each(|change| self.dirty.mark(change));
        debug!(kind = T::SERVED.kind, objects = keys.len(), "listed");
    }

    fn failed(&self) {
        self.metrics.watch_error(T::SERVED.plural);
    }

    fn is_empty(&self, error: &watcher::Error) -> bool {
        self.purpose == Purpose::Uninstall && status_of(error) == Some(404)
    }

    fn tell(&self, error: &watcher::Error, text: &str) -> bool {
        tell(T::SERVED, error, text);
        true
    }
}

/// Tells that a watch failed, and what to do about it.
pub(crate) fn tell(served: Served, error: &watcher::Error, text: &str) {
    let Served { group, plural, .. } = served;
    match status_of(error) {
        Some(404) => warn!(
            resource = plural,
            group,
            "the API server does not know this resource; waiting for its CustomResourceDefinition (`epiphyte crds` prints it)"
        ),
        Some(403) => {
            warn!(
                resource = plural,
                group,
                error = %text,
                "not allowed; grant the verbs list and watch on this resource"
            );
        }
        // The server forgot the version that we would go on from; a new list follows by itself.
        Some(410) => debug!(resource = plural, group, "the watch starts anew"),
        _ => warn!(resource = plural, group, error = %text, "the watch failed; trying again"),
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
    read_fact(object)
}

/// Reads a `CollectorsGroup` as the index wants it; `None` if it cannot be read.
pub(crate) fn read_group(object: &serde_json::Value) -> Option<CollectorsGroupFact> {
    read_fact(object)
}

/// Reads a Lumigo as the index wants it; `None` if it cannot be read.
pub(crate) fn read_lumigo(object: &serde_json::Value) -> Option<LumigoRecord> {
    read_fact(object)
}

fn read_fact<T: Watched>(object: &serde_json::Value) -> Option<T> {
    T::Manifest::deserialize(object).ok().map(T::read)
}
