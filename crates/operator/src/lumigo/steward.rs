//! Gives each Lumigo what it needs: its finalizer, its status, its release. Active on the leader only.

use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::WorkloadKind;
use epiphyte_api::names::{AUTO_TRACE_LABEL, FIELD_MANAGER, LUMIGO_FINALIZER};
use epiphyte_plan::Manifest;
use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, Request};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::due::LumigoDue;
use super::tokens::Tokens;
use crate::SharedIndex;
use crate::conditions;
use crate::decide::Queues;
use crate::dirty::Dirty;
use crate::failure::Failure;
use crate::index::{Fact as _, ObjectKey};
use crate::metrics::Metrics;

/// Lumigoes that are seen to at the same time.
const WORKERS: usize = 2;

/// How long a status waits at most for the workloads that are being written: it only tells what has been done.
const STATUS_WAITS: Duration = Duration::from_secs(2);

/// How long a Lumigo that could be released is kept: an admission that began before its deletion was known may still be
/// under way.
const SETTLES: Duration = Duration::from_secs(1);

/// Workloads in a page of a list.
const PAGE: u32 = 100;

/// Sees to Lumigoes.
pub(crate) struct Steward {
    pub(crate) index: SharedIndex,
    pub(crate) tokens: Tokens,
    pub(crate) dirty: Dirty,
    pub(crate) queues: Queues,
    pub(crate) client: Client,
    pub(crate) leader: watch::Receiver<bool>,
    pub(crate) metrics: Metrics,
}

impl Steward {
    /// Starts the workers. Each ends with what it has in hand once told to stop.
    pub(crate) fn start(self, shutdown: &CancellationToken) -> JoinSet<()> {
        let steward = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (steward, shutdown) = (Arc::clone(&steward), shutdown.clone());
            workers.spawn(async move {
                let queue = &steward.queues.lumigoes;
                while let Some(key) = shutdown.run_until_cancelled(queue.next()).await {
                    steward.handle(&key).await;
                }
            });
        }
        workers
    }

    async fn handle(&self, key: &ObjectKey) {
        let queue = &self.queues.lumigoes;
        if !*self.leader.borrow() {
            return queue.done(key);
        }
        match self.settle(key).await {
            Ok(()) | Err(Failure::Gone) => queue.done(key),
            Err(failure) => {
                self.metrics.written("lumigo", failure.category());
                if !matches!(failure, Failure::Conflict(_)) {
                    warn!(lumigo = %named(key), category = failure.category(), %failure, "cannot see to a Lumigo; trying again");
                }
                queue.retry(key, failure.backoff());
            }
        }
    }

    async fn settle(&self, key: &ObjectKey) -> Result<(), Failure> {
        // What has waited is worked out anew: it may be another by then, or nothing.
        if matches!(self.due(key), LumigoDue::Status(_)) {
            self.queues.surgery.give_way(STATUS_WAITS).await;
        }
        if self.due(key) == LumigoDue::Release {
            tokio::time::sleep(SETTLES).await;
            self.catch_up(&key.namespace).await?;
        }
        let api = Api::namespaced_with(self.client.clone(), &key.namespace, &resource());
        let (done, written) = match self.due(key) {
            LumigoDue::Nothing => return Ok(()),
            LumigoDue::Finalizer => ("finalizer", hold(&api, &key.name).await?),
            LumigoDue::Release => ("released", release(&api, &key.name).await?),
            LumigoDue::Status(wanted) => {
                let present = api.get(&key.name).await?;
                let status = json!({
                    "conditions": conditions::overlay(&json!(present), &wanted.conditions, Timestamp::now()),
                    "instrumentedResources": wanted.instrumented_resources,
                });
                let patch = json!({
                    "metadata": { "resourceVersion": present.metadata.resource_version }, "status": status,
                });
                ("status", api.patch_status(&key.name, &params(), &Patch::Merge(patch)).await?)
            }
        };
        self.metrics.written("lumigo", done);
        if done == "released" {
            info!(lumigo = %named(key), "nothing of it is left: released it");
        }
        // What comes back may hold what others wrote meanwhile, and the watch will not tell of it a second time.
        if let Some(record) = crate::watch::read_lumigo(&json!(written)) {
            let change = record.apply(&mut self.index.write(), Timestamp::now());
            self.dirty.mark(change);
        }
        Ok(())
    }

    fn due(&self, key: &ObjectKey) -> LumigoDue {
        let index = self.index.read();
        let Some(lumigo) = index.lumigo(key) else { return LumigoDue::Nothing };
        let token = lumigo.fact.token.as_ref().and_then(|token| self.tokens.get(&key.namespace, token));
        LumigoDue::of(&index, lumigo, token)
    }

    /// Learns of every labelled workload of a namespace from the API server itself: a watch may lag behind, and what it has
    /// not told yet would stay injected for ever.
    async fn catch_up(&self, namespace: &str) -> Result<(), Failure> {
        for kind in WorkloadKind::ALL {
            let path = format!("/apis/{}/namespaces/{namespace}/{}", kind.api_version(), kind.plural());
            let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() }.labels(AUTO_TRACE_LABEL);
            loop {
                let request = Request::new(&path).list(&params).map_err(kube::Error::BuildRequest)?;
                let page: Page = self.client.request(request).await?;
                for manifest in page.items {
                    let workload = manifest.into_workload(kind);
                    let change = self.index.write().apply_workload(workload);
                    self.dirty.mark(change);
                }
                params.continue_token = page.metadata.next.filter(|token| !token.is_empty());
                if params.continue_token.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default)]
    items: Vec<Manifest>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Puts our finalizer on.
async fn hold(api: &Api<DynamicObject>, name: &str) -> Result<DynamicObject, Failure> {
    let present = api.get(name).await?;
    let mut finalizers = present.metadata.finalizers.clone().unwrap_or_default();
    if present.metadata.deletion_timestamp.is_some() || finalizers.iter().any(|it| it == LUMIGO_FINALIZER) {
        return Ok(present);
    }
    finalizers.push(LUMIGO_FINALIZER.to_owned());
    Ok(api.patch(name, &params(), &finalizers_patch(&present, &finalizers)).await?)
}

/// Takes our finalizer off, and leaves those of others.
async fn release(api: &Api<DynamicObject>, name: &str) -> Result<DynamicObject, Failure> {
    let present = api.get(name).await?;
    let mut finalizers = present.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|it| it != LUMIGO_FINALIZER);
    Ok(api.patch(name, &params(), &finalizers_patch(&present, &finalizers)).await?)
}

fn finalizers_patch(present: &DynamicObject, finalizers: &[String]) -> Patch<Value> {
    let version = &present.metadata.resource_version;
    Patch::Merge(json!({ "metadata": { "resourceVersion": version, "finalizers": finalizers } }))
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn resource() -> ApiResource {
    ApiResource::erase::<epiphyte_api::Lumigo>(&())
}

fn named(key: &ObjectKey) -> String {
    format!("{}/{}", key.namespace, key.name)
}
