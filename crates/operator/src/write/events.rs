//! Kubernetes Events on the objects that people look at, each told once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::failure::TERMINATING;
use crate::index::WorkloadKey;
use crate::queue::Queue;

/// Events that are remembered as told. Past that the memory starts anew, and the API server says what was told before.
const REMEMBERED: usize = 20_000;

/// Events that wait to be written; further ones are let go.
const WAITING: usize = 10_000;

/// Who tells, for those who ask which Events are ours.
pub(super) const COMPONENT: &str = "epiphyte-operator";

/// How long an Event waits at most for the workloads that are being written.
const GIVES_WAY: Duration = Duration::from_secs(5);

/// Where Events are told. The name of an Event is a hash of what it says, so that a restart, or another replica, does not
/// repeat it while the API server still has it.
#[derive(Clone)]
pub(crate) struct Events {
    waiting: mpsc::Sender<Event>,
    /// What this process has told, by name.
    told: Told,
}

/// Writes the Events that are told, one after the other; the work that they tell of goes first.
pub(crate) struct Recorder {
    client: Client,
    surgery: Queue<WorkloadKey>,
    waiting: mpsc::Receiver<Event>,
    told: Told,
}

type Told = Arc<Mutex<HashSet<String>>>;

/// What an Event is about.
pub(crate) struct Subject {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl Subject {
    pub(crate) fn workload(key: &WorkloadKey, uid: &str) -> Self {
        Self {
            api_version: key.kind.api_version().to_owned(),
            kind: key.kind.to_string(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: uid.to_owned(),
        }
    }
}

/// What an Event says.
pub(crate) struct Report {
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What makes this Event another one than the last with the same reason, such as a generation.
    pub(crate) told_once_per: String,
    /// The `source` of the Event.
    pub(crate) component: String,
}

impl Report {
    /// A warning of the operator.
    pub(crate) fn warning(reason: &'static str, message: String, told_once_per: String) -> Self {
        Self { warning: true, reason, message, told_once_per, component: COMPONENT.to_owned() }
    }
}

impl Events {
    /// Where Events are told, and what writes them.
    pub(crate) fn new(client: Client, surgery: Queue<WorkloadKey>) -> (Self, Recorder) {
        let (sender, waiting) = mpsc::channel(WAITING);
        let told = Told::default();
        (Self { waiting: sender, told: Arc::clone(&told) }, Recorder { client, surgery, waiting, told })
    }

    /// Tells an Event, unless it was told before.
    pub(crate) fn tell(&self, subject: &Subject, report: &Report) {
        let event = event(subject, report, Timestamp::now());
        let name = event.metadata.name.clone().unwrap_or_default();
        let mut told = self.told.lock();
        if told.len() >= REMEMBERED {
            told.clear();
        }
        if told.insert(name.clone()) && self.waiting.try_send(event).is_err() {
            told.remove(&name);
            let Subject { kind, namespace, name, .. } = subject;
            warn!(kind, namespace, name, reason = report.reason, "an Event is let go: too many wait");
        }
    }
}

impl Recorder {
    /// Writes Events until told to stop, and then those that wait. An Event that cannot be written is logged and let go.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(event)) = stop.run_until_cancelled(self.waiting.recv()).await {
            stop.run_until_cancelled(self.surgery.give_way(GIVES_WAY)).await;
            self.write(event).await;
        }
        while let Ok(event) = self.waiting.try_recv() {
            self.write(event).await;
        }
    }

    async fn write(&self, event: Event) {
        let api: Api<Event> =
            Api::namespaced(self.client.clone(), event.metadata.namespace.as_deref().unwrap_or_default());
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            // Nobody is left to read it.
            Err(kube::Error::Api(status)) if status.message.contains(TERMINATING) => {}
            Err(error) => {
                self.told.lock().remove(event.metadata.name.as_deref().unwrap_or_default());
                let ObjectReference { kind, namespace, name, .. } = &event.involved_object;
                warn!(?kind, ?namespace, ?name, %error, reason = ?event.reason, "cannot write an Event");
            }
        }
    }
}

fn event(subject: &Subject, report: &Report, now: Timestamp) -> Event {
    let hash = fingerprint(&[&subject.uid, report.reason, &report.told_once_per]);
    // Room for the dot and the sixteen digits within the 253 characters of a name.
    let stem: String = subject.name.chars().take(236).collect();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{hash:016x}", stem.trim_end_matches(['.', '-']))),
            namespace: Some(subject.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(subject.api_version.clone()),
            kind: Some(subject.kind.clone()),
            namespace: Some(subject.namespace.clone()),
            name: Some(subject.name.clone()),
            uid: Some(subject.uid.clone()),
            ..ObjectReference::default()
        },
        type_: Some(if report.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(report.reason.to_owned()),
        // The API server refuses longer messages.
        message: Some(report.message.chars().take(1024).collect()),
        source: Some(EventSource { component: Some(report.component.clone()), host: None }),
        reporting_component: Some(COMPONENT.to_owned()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

/// FNV-1a over the parts: the same in every build, so that replicas of two versions agree.
fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
