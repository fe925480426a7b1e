//! The names that `Source`s give to services. They are asked for when a container starts and not watched: a thousand nodes
//! would watch every `Source` of the cluster for a name that is needed now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::{Source, SourceSpec};
use epiphyte_daemon::chain;
use kube::api::ListParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::debug;

use crate::pods::Workload;

/// How long what was read of a namespace is good.
const FRESH: Duration = Duration::from_secs(10);

/// What was read of a namespace, and when.
type Read = (Instant, Arc<Vec<SourceSpec>>);

/// The names that `Source`s give.
#[derive(Clone)]
pub(crate) struct Sources {
    client: Client,
    /// By namespace. Written whenever one is asked about.
    known: Arc<Mutex<HashMap<Box<str>, Read>>>,
}

impl Sources {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// The service's name that a `Source` gives to a workload. `None` too where the API server cannot be asked.
    pub(crate) async fn service(&self, namespace: &str, workload: &Workload) -> Option<String> {
        let kind = workload.kind?.as_str();
        let sources = self.of(namespace).await;
        let names_it = |source: &&SourceSpec| {
            let named = &source.workload;
            named.kind == kind && named.namespace == namespace && *named.name == *workload.name
        };
        sources
            .iter()
            .filter(names_it)
            .find_map(|source| source.otel_service_name.clone().filter(|name| !name.is_empty()))
    }

    async fn of(&self, namespace: &str) -> Arc<Vec<SourceSpec>> {
        let now = Instant::now();
        if let Some((read, sources)) = self.known.lock().get(namespace)
            && now.duration_since(*read) < FRESH
        {
            return Arc::clone(sources);
        }
        // What the API server has in memory is good enough.
        let parameters = ListParams::default().match_any();
        let listed = Api::<Source>::namespaced(self.client.clone(), namespace).list(&parameters).await;
        let sources = listed.map(|list| list.items).unwrap_or_else(|error| {
            debug!(namespace, error = %chain(&error), "cannot read Sources; services are named after their workloads");
            Vec::new()
        });
        let sources: Arc<Vec<SourceSpec>> = Arc::new(sources.into_iter().map(|source| source.spec).collect());
        let mut known = self.known.lock();
        known.retain(|_, (read, _)| now.duration_since(*read) < FRESH);
        known.insert(namespace.into(), (now, Arc::clone(&sources)));
        sources
    }
}
