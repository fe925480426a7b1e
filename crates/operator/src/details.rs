//! Keeps `InstrumentedApplication`s: asks for detection, deletes, writes the status; and tells Events that somebody has to
//! act on. Active on the leader only.

use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::Reason;
use epiphyte_api::names::{DETECT_LABEL, DETECT_PENDING, FIELD_MANAGER};
use epiphyte_plan::{Finding, Workload};
use jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::SharedIndex;
use crate::decide::Queues;
use crate::dirty::Dirty;
use crate::due::{DetailsDue, Due};
use crate::failure::Failure;
use crate::index::{DetailsFact, Fact as _, ObjectKey, WorkloadKey};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::status;
use crate::write::{self, Events, Report, Subject};

/// `InstrumentedApplication`s that are made or changed at the same time: fewer than workloads, which go first.
const WORKERS: usize = 2;

/// How long a status waits at most for the workloads that are being written: it only tells what has been done.
const STATUS_WAITS: Duration = Duration::from_secs(5);

/// Keeps `InstrumentedApplication`s.
pub(crate) struct Keeper {
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) queues: Queues,
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) leader: watch::Receiver<bool>,
    pub(crate) metrics: Metrics,
}

impl Keeper {
    /// Starts the workers. Each ends with what it has in hand once told to stop.
    pub(crate) fn start(self, shutdown: &CancellationToken) -> JoinSet<()> {
        let keeper = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let keeper = Arc::clone(&keeper);
            let shutdown = shutdown.clone();
            workers.spawn(async move {
                let queue = &keeper.queues.details;
                while let Some(key) = shutdown.run_until_cancelled(queue.next()).await {
                    keeper.handle(&key, queue).await;
                }
            });
        }
        let shutdown = shutdown.clone();
        workers.spawn(async move {
            let Queues { surgery, statuses, .. } = &keeper.queues;
            let next = async || {
                let key = statuses.next().await;
                surgery.give_way(STATUS_WAITS).await;
                key
            };
            while let Some(key) = shutdown.run_until_cancelled(next()).await {
                keeper.handle(&key, statuses).await;
            }
        });
        workers
    }

    async fn handle(&self, key: &WorkloadKey, queue: &Queue<WorkloadKey>) {
        let planned = {
            let index = self.index.read();
            index.workload(key).map(|workload| (workload.clone(), Due::of(&index, workload)))
        };
        let Some((workload, due)) = planned.filter(|_| *self.leader.borrow()) else { return queue.done(key) };
        for warning in &due.warnings {
            self.warn(key, &workload, warning);
        }
        match self.settle(key, &workload, due.details).await {
            Ok(()) | Err(Failure::Gone) => queue.done(key),
            Err(failure) => {
                self.metrics.written("details", failure.category());
                if !matches!(failure, Failure::Conflict(_)) {
                    warn!(workload = %key, category = failure.category(), %failure, "cannot keep its InstrumentedApplication; trying again");
                }
                queue.retry(key, failure.backoff());
            }
        }
    }

    fn warn(&self, key: &WorkloadKey, workload: &Workload, warning: &Finding) {
        let report = if warning.reason == Reason::JobImmutable {
            let verdict = self.index.read().plan(workload, Some(workload));
            write::immutable(workload, &verdict)
        } else {
            let message = format!("{warning} {}", warning.reason.next_step());
            Report::warning(warning.reason.code(), message, warning.about.clone().unwrap_or_default())
        };
        self.events.tell(&Subject::workload(key, &workload.uid), &report);
    }

    async fn settle(&self, key: &WorkloadKey, workload: &Workload, due: DetailsDue) -> Result<(), Failure> {
        let object = key.details();
        let api = self.api(&object.namespace);
        let written = match due {
            DetailsDue::Nothing => return Ok(()),
            DetailsDue::Ask => self.ask(&api, &object, key, workload).await?,
            DetailsDue::AskAgain => self.ask_again(&api, &object, workload).await?,
            DetailsDue::Adopt => self.adopt(&api, &object, key, workload).await?,
            DetailsDue::Status => self.write_status(&api, &object, key).await?,
            DetailsDue::Delete => return self.delete(&api, &object, key).await,
        };
        self.metrics.written("details", due.as_str());
        let Some(fact) = written else { return Ok(()) };
        // What comes back may hold what others wrote meanwhile, and the watch will not tell of it a second time.
        let change = fact.apply(&mut self.index.write(), Timestamp::now());
        self.dirty.mark(change);
        Ok(())
    }

    async fn ask(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectKey,
        key: &WorkloadKey,
        workload: &Workload,
    ) -> Result<Option<DetailsFact>, Failure> {
        let mut asked = DynamicObject::new(&object.name, &resource());
        asked.metadata.namespace = Some(object.namespace.to_string());
        asked.metadata.labels = Some([(DETECT_LABEL.to_owned(), DETECT_PENDING.to_owned())].into());
        let mut asked = json!(asked);
        merge(
            &mut asked,
            json!({ "metadata": { "ownerReferences": [owner(key, workload)] }, "spec": { "request": request(workload) } }),
        );
        let asked: DynamicObject =
            serde_json::from_value(asked).map_err(|error| Failure::Rejected(error.to_string()))?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match api.create(&params, &asked).await.map_err(Failure::from) {
            Ok(created) => {
                info!(workload = %key, "asked for detection");
                Ok(fact(&created))
            }
            // Somebody else made it; the watch will tell.
            Err(Failure::Conflict(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn ask_again(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectKey,
        workload: &Workload,
    ) -> Result<Option<DetailsFact>, Failure> {
        let present = api.get(&object.name).await?;
        let patch = json!({
            "metadata": {
                "resourceVersion": present.metadata.resource_version,
                "labels": { DETECT_LABEL: DETECT_PENDING },
            },
            "spec": { "request": request_over(&present.data, workload) },
        });
        Ok(fact(&api.patch(&object.name, &params(), &Patch::Merge(patch)).await?))
    }

    async fn adopt(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectKey,
        key: &WorkloadKey,
        workload: &Workload,
    ) -> Result<Option<DetailsFact>, Failure> {
        let present = api.get(&object.name).await?;
        let mut owners = json!(present.metadata.owner_references.unwrap_or_default());
        if let Some(owners) = owners.as_array_mut() {
            owners.push(owner(key, workload));
        }
        let patch = json!({
            "metadata": { "resourceVersion": present.metadata.resource_version, "ownerReferences": owners },
        });
        Ok(fact(&api.patch(&object.name, &params(), &Patch::Merge(patch)).await?))
    }

    async fn write_status(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectKey,
        key: &WorkloadKey,
    ) -> Result<Option<DetailsFact>, Failure> {
        let present = api.get(&object.name).await?;
        let wanted = {
            let index = self.index.read();
            let Some(workload) = index.workload(key) else { return Ok(None) };
            let verdict = index.plan(workload, Some(workload));
            status::status_of(workload, &verdict, present.metadata.generation.unwrap_or_default())
        };
        let status = status::overlay(&json!(present), &wanted, Timestamp::now());
        let patch = json!({
            "metadata": { "resourceVersion": present.metadata.resource_version },
            "status": status,
        });
        Ok(fact(&api.patch_status(&object.name, &params(), &Patch::Merge(patch)).await?))
    }

    async fn delete(&self, api: &Api<DynamicObject>, object: &ObjectKey, key: &WorkloadKey) -> Result<(), Failure> {
        let uid = self.index.read().details(key).map(|fact| fact.uid.to_string());
        let preconditions = Preconditions { uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        api.delete(&object.name, &params).await?;
        info!(workload = %key, "deleted its InstrumentedApplication: the mark is gone");
        self.metrics.written("details", DetailsDue::Delete.as_str());
        let change = DetailsFact::delete(object, &mut self.index.write(), Timestamp::now());
        self.dirty.mark(change);
        Ok(())
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource())
    }
}

impl DetailsDue {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Ask => "asked",
            Self::AskAgain => "asked_again",
            Self::Delete => "deleted",
            Self::Adopt => "adopted",
            Self::Status => "status",
        }
    }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn resource() -> ApiResource {
    ApiResource::erase::<epiphyte_api::InstrumentedApplication>(&())
}

/// What an object that we wrote says, if it can be read.
fn fact(object: &DynamicObject) -> Option<DetailsFact> {
    crate::watch::read_details(&json!(object))
}

/// The reference by which the workload's deletion collects the object.
fn owner(key: &WorkloadKey, workload: &Workload) -> Value {
    json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.as_str(),
        "name": &*key.name,
        "uid": &*workload.uid,
        "controller": true,
        "blockOwnerDeletion": false,
    })
}

fn request(workload: &Workload) -> Vec<Value> {
    let ask =
        |container: &epiphyte_plan::Container| json!({ "containerName": &*container.name, "image": &*container.image });
    workload.pod.containers.iter().map(ask).collect()
}

/// The request, with members of present entries that this build does not know.
fn request_over(present: &Value, workload: &Workload) -> Vec<Value> {
    let entries = present.pointer("/spec/request").and_then(Value::as_array);
    let mut request = request(workload);
    for entry in &mut request {
        let name = entry.get("containerName").cloned();
        let held = entries.into_iter().flatten().find(|held| held.get("containerName") == name.as_ref());
        if let Some(held) = held {
            let asked = std::mem::replace(entry, held.clone());
            merge(entry, asked);
        }
    }
    request
}

fn merge(into: &mut Value, patch: Value) {
    json_patch::merge(into, &patch);
}
