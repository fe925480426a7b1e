//! Kubernetes Events on the objects that people look at, each told once.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tracing::warn;

use crate::index::WorkloadKey;

/// Events that are remembered as told. Past that the memory starts anew, and the API server says what was told before.
const REMEMBERED: usize = 20_000;

/// Tells Events. The name of an Event is a hash of what it says, so that a restart, or another replica, does not repeat it
/// while the API server still has it.
#[derive(Clone)]
pub(crate) struct Events {
    client: Client,
    /// What this process has told, by the hash in its name.
    told: Arc<Mutex<HashSet<u64>>>,
}

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
}

impl Events {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, told: Arc::default() }
    }

    /// Tells an Event, unless it was told before. An Event that cannot be written is logged and let go: it must not hold
    /// up the work that it tells of.
    pub(crate) async fn tell(&self, subject: &Subject, report: Report) {
        let hash = fingerprint(&[&subject.uid, report.reason, &report.told_once_per]);
        {
            let mut told = self.told.lock();
            if told.len() >= REMEMBERED {
                told.clear();
            }
            if !told.insert(hash) {
                return;
            }
        }
        let event = event(subject, &report, hash, Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &subject.namespace);
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => {
                self.told.lock().remove(&hash);
                let Subject { kind, namespace, name, .. } = subject;
                warn!(kind, namespace, name, %error, reason = report.reason, "cannot write an Event");
            }
        }
    }
}

fn event(subject: &Subject, report: &Report, hash: u64, now: Timestamp) -> Event {
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
        source: Some(EventSource { component: Some("epiphyte-operator".to_owned()), host: None }),
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
