//! Keeps the `CollectorsGroup` of the telemetry proxy: made where it is missing, set back where somebody changed it, its
//! status written when it has something else to say.

use std::time::Duration;

use epiphyte_api::names::{FIELD_MANAGER, MANAGED_BY_LABEL, PART_OF, PART_OF_LABEL, TELEMETRY_PROXY};
use epiphyte_api::{CollectorsGroup, collectors_condition};
use epiphyte_daemon::Backoff;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Scheduler;
use super::looks::Judgement;
use crate::conditions;
use crate::failure::Failure;
use crate::index::{CollectorsGroupFact, Fact as _};

/// The part that the telemetry proxy plays.
const ROLE: &str = "CLUSTER_GATEWAY";

/// The labels by which it is known as ours.
const LABELS: [(&str, &str); 2] = [(PART_OF_LABEL, PART_OF), (MANAGED_BY_LABEL, PART_OF)];

/// The most writes that it takes: the object, and its status.
const WRITES: usize = 2;

/// Said where another CustomResourceDefinition, or a webhook, drops what we write. Without an end to it, that would be written
/// for ever.
const NOT_KEPT: &str =
    "the API server does not keep what is written; is the definition of CollectorsGroups that of `epiphyte crds`?";

/// Keeps the object.
pub(super) struct Keeper {
    api: Api<DynamicObject>,
    namespace: String,
    backoff: Backoff,
    /// Before then nothing is tried; set by a failure.
    retry: Option<Instant>,
}

/// What the object needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupDue {
    /// Nothing.
    Nothing,
    /// To be made, or set back to what we make of it.
    Object,
    /// To say something else.
    Status,
}

impl Keeper {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        let resource = ApiResource::erase::<CollectorsGroup>(&());
        let api = Api::namespaced_with(client.clone(), namespace, &resource);
        Self { api, namespace: namespace.to_owned(), backoff: Backoff::new(1_000, 60_000), retry: None }
    }

    /// Has the object say what was found. What cannot be written is told, and tried again after a while.
    pub(super) async fn keep(&mut self, scheduler: &Scheduler, judgement: &Judgement) {
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return;
        }
        match self.settle(scheduler, judgement).await {
            Ok(()) => {
                self.backoff.reset();
                self.retry = None;
            }
            Err(failure) => {
                scheduler.metrics.written("collectors_group", failure.category());
                let wait: Duration = self.backoff.wait();
                self.retry = Some(Instant::now() + wait);
                // Whoever watches tells of a definition that is not there.
                if !matches!(failure, Failure::Conflict(_) | Failure::Gone) {
                    let category = failure.category();
                    warn!(group = TELEMETRY_PROXY, category, %failure, "cannot keep the CollectorsGroup; trying again");
                }
            }
        }
    }

    async fn settle(&self, scheduler: &Scheduler, judgement: &Judgement) -> Result<(), Failure> {
        for _ in 0..WRITES {
            // Asking took a while, and so did the write before.
            if !scheduler.is_wanted() {
                return Ok(());
            }
            let (due, was_ready) = {
                let index = scheduler.index.read();
                let present = index.collectors().group(TELEMETRY_PROXY);
                (GroupDue::of(present, judgement), present.is_some_and(|group| group.ready))
            };
            let (done, written) = match due {
                GroupDue::Nothing => return Ok(()),
                GroupDue::Object => ("applied", self.apply().await?),
                GroupDue::Status => ("status", self.write_status(judgement).await?),
            };
            scheduler.metrics.written("collectors_group", done);
            if due == GroupDue::Status && was_ready != judgement.ready {
                let Judgement { ready, message, .. } = judgement;
                info!(
                    ready,
                    message,
                    "the telemetry proxy {}",
                    if *ready { "is ready" } else { "is not ready any more" }
                );
            }
            if let Some(fact) = crate::watch::read_group(&json!(written)) {
                let change = fact.apply(&mut scheduler.index.write(), Timestamp::now());
                scheduler.dirty.mark(change);
            }
        }
        let index = scheduler.index.read();
        match GroupDue::of(index.collectors().group(TELEMETRY_PROXY), judgement) {
            GroupDue::Nothing => Ok(()),
            GroupDue::Object | GroupDue::Status => Err(Failure::Rejected(NOT_KEPT.to_owned())),
        }
    }

    async fn apply(&self) -> Result<DynamicObject, Failure> {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        Ok(self.api.patch(TELEMETRY_PROXY, &params, &Patch::Apply(manifest(&self.namespace))).await?)
    }

    async fn write_status(&self, judgement: &Judgement) -> Result<DynamicObject, Failure> {
        let present = self.api.get(TELEMETRY_PROXY).await?;
        let wanted = condition(judgement, present.metadata.generation.unwrap_or_default());
        let patch = json!({
            "metadata": { "resourceVersion": present.metadata.resource_version },
            "status": {
                "ready": judgement.ready,
                "conditions": conditions::overlay(&json!(present), &[wanted], Timestamp::now()),
            },
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        Ok(self.api.patch_status(TELEMETRY_PROXY, &params, &Patch::Merge(patch)).await?)
    }
}

impl GroupDue {
    fn of(present: Option<&CollectorsGroupFact>, judgement: &Judgement) -> Self {
        let Some(present) = present else { return Self::Object };
        let has = |(key, value): &(&str, &str)| present.labels.get(*key).is_some_and(|found| **found == **value);
        if *present.role != *ROLE || !LABELS.iter().all(has) {
            return Self::Object;
        }
        let wanted = condition(judgement, present.generation);
        let says_it = present.condition.as_ref().is_some_and(|found| {
            let said =
                |it: &Condition| (it.status.clone(), it.reason.clone(), it.message.clone(), it.observed_generation);
            said(found) == said(&wanted)
        });
        if present.ready == judgement.ready && says_it { Self::Nothing } else { Self::Status }
    }
}

fn manifest(namespace: &str) -> Value {
    let labels: serde_json::Map<String, Value> =
        LABELS.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
        "metadata": { "name": TELEMETRY_PROXY, "namespace": namespace, "labels": labels },
        "spec": { "role": ROLE },
    })
}

/// The condition that says so. Its time says nothing.
fn condition(judgement: &Judgement, generation: i64) -> Condition {
    Condition {
        type_: collectors_condition::READY.to_owned(),
        status: if judgement.ready { "True" } else { "False" }.to_owned(),
        reason: judgement.reason.code().to_owned(),
        message: judgement.message.clone(),
        observed_generation: Some(generation),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Reason;

    use super::*;

    fn judgement() -> Judgement {
        Judgement { ready: true, reason: Reason::TelemetryTaken, message: "1 of 1 address takes telemetry.".to_owned() }
    }

    /// The object as it is once all is well, with a change made to it.
    fn due_after(change: impl FnOnce(&mut Value)) -> GroupDue {
        let mut object = manifest("system");
        object["metadata"]["generation"] = json!(3);
        let mut condition = json!(condition(&judgement(), 3));
        condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
        object["status"] = json!({ "ready": true, "conditions": [condition] });
        change(&mut object);
        GroupDue::of(crate::watch::read_group(&object).as_ref(), &judgement())
    }

    #[test]
    fn an_object_that_says_it_already_needs_nothing() {
        assert_eq!(due_after(|_| {}), GroupDue::Nothing);
        let others = |object: &mut Value| object["metadata"]["labels"]["team"] = json!("payments");
        assert_eq!(due_after(others), GroupDue::Nothing);
    }

    #[test]
    fn what_is_missing_is_made_and_what_others_changed_is_set_back() {
        assert_eq!(GroupDue::of(None, &judgement()), GroupDue::Object);
        assert_eq!(due_after(|object| object["spec"]["role"] = json!("NODE_COLLECTOR")), GroupDue::Object);
        assert_eq!(due_after(|object| object["metadata"]["labels"] = json!({})), GroupDue::Object);
    }

    #[test]
    fn a_status_that_says_something_else_is_written() {
        assert_eq!(due_after(|object| object["status"] = json!(null)), GroupDue::Status);
        assert_eq!(due_after(|object| object["status"]["ready"] = json!(false)), GroupDue::Status);
        assert_eq!(due_after(|object| object["metadata"]["generation"] = json!(4)), GroupDue::Status);
        let other = |object: &mut Value| object["status"]["conditions"][0]["message"] = json!("2 of 2");
        assert_eq!(due_after(other), GroupDue::Status);
    }
}
