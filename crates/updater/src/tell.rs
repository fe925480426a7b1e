//! The outcome where people look: an Event on the CronJob, and a note on it that stays when the Event has gone.

use epiphyte_api::names::UPDATE_OUTCOME_ANNOTATION;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use crate::outcome::{Report, Severity};

/// Who tells.
const COMPONENT: &str = "epiphyte-updater";

/// The API server refuses longer messages.
const LONGEST: usize = 1024;

/// The CronJob that updaters run for.
pub(crate) struct Board<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
    pub(crate) cron_job: &'a str,
}

/// What the last run came to.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Note {
    time: Timestamp,
    outcome: String,
    from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) why: String,
}

impl Board<'_> {
    /// What the run before noted, if it can be read.
    pub(crate) async fn noted(&self) -> Option<Note> {
        let cron_job = self.api().get_opt(self.cron_job).await.ok()??;
        serde_json::from_str(cron_job.metadata.annotations?.get(UPDATE_OUTCOME_ANNOTATION)?).ok()
    }

    /// Tells what a run came to. That it cannot be told is logged: the outcome is what it is.
    pub(crate) async fn tell(&self, report: &Report, now: Timestamp) {
        if let Err(error) = self.try_tell(report, now).await {
            let why = epiphyte_daemon::chain(&error);
            warn!(why, cron_job = self.cron_job, "the outcome cannot be told on the CronJob");
        }
    }

    async fn try_tell(&self, report: &Report, now: Timestamp) -> kube::Result<()> {
        let Some(cron_job) = self.api().get_opt(self.cron_job).await? else {
            info!(cron_job = self.cron_job, "there is no such CronJob to tell the outcome on");
            return Ok(());
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), self.namespace);
        events.create(&PostParams::default(), &self.event(&cron_job, report, now)).await?;
        let Report { outcome, from, to, why, .. } = report.clone();
        let note = Note { time: now, outcome: outcome.code().to_owned(), from, to, why };
        let note = json!(note).to_string();
        let patch = json!({ "metadata": { "annotations": { UPDATE_OUTCOME_ANNOTATION: note } } });
        let params = PatchParams { field_manager: Some(COMPONENT.to_owned()), ..PatchParams::default() };
        self.api().patch_metadata(self.cron_job, &params, &Patch::Merge(patch)).await?;
        Ok(())
    }

    fn api(&self) -> Api<CronJob> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    fn event(&self, cron_job: &CronJob, report: &Report, now: Timestamp) -> Event {
        let next = if report.next.is_empty() { String::new() } else { format!(" Next: {}", report.next) };
        let room = LONGEST.saturating_sub(next.len());
        let message = report.line();
        // The end of the reason gives way to what can be done.
        let mut end = message.len().min(room);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let message = format!("{}{next}", message.get(..end).unwrap_or_default());
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-", self.cron_job)),
                namespace: Some(self.namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("batch/v1".to_owned()),
                kind: Some("CronJob".to_owned()),
                namespace: Some(self.namespace.to_owned()),
                name: Some(self.cron_job.to_owned()),
                uid: cron_job.metadata.uid.clone(),
                ..ObjectReference::default()
            },
            type_: Some(if report.outcome.severity() == Severity::Warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(report.outcome.code().to_owned()),
            message: Some(message),
            source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
            reporting_component: Some(COMPONENT.to_owned()),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..Event::default()
        }
    }
}
