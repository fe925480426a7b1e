//! Reads the API server's audit log, so that a test can tell who wrote what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::Stream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Error, Result};

/// How often the log is looked at while it is followed.
const FOLLOW_EVERY: Duration = Duration::from_millis(20);

/// The verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The request's id; a watch has two entries, one when it starts and one when it ends.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// `ResponseStarted` (watches only), `ResponseComplete` or `Panic`.
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or an HTTP method.
    pub verb: String,
    /// The path and the query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// Who asked.
    pub user: User,
    /// The program that asked, by its own account.
    #[serde(default)]
    pub user_agent: String,
    /// What it was about; nothing for paths such as `/readyz`.
    pub object_ref: Option<ObjectRef>,
    /// The answer's code.
    #[serde(default)]
    pub response_status: ResponseStatus,
    /// The body sent: the object, the patch, or the options of a deletion; for writes, secrets and leases apart.
    pub request_object: Option<Value>,
    /// The body answered; for writes, secrets, leases and events apart.
    pub response_object: Option<Value>,
    /// When the request came in.
    pub request_received_timestamp: MicroTime,
    /// When this stage was reached.
    pub stage_timestamp: MicroTime,
    /// What admission and authorization noted, such as `authorization.k8s.io/decision`.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Entry {
    /// Whether the request was one to change something, and was granted. A dry run counts: see `request_uri`.
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str()) && self.response_status.code < 300
    }

    /// Whether it was about this resource, by its plural name (and `/subresource` where it was about one).
    pub fn is_about(&self, resource: &str) -> bool {
        self.object_ref.as_ref().is_some_and(|object| match object.subresource.as_deref() {
            Some(sub) => resource.split_once('/') == Some((object.resource.as_str(), sub)),
            None => object.resource == resource,
        })
    }
}

/// Who asked.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct User {
    /// The name, such as `system:serviceaccount:kube-system:deployment-controller`.
    #[serde(default)]
    pub username: String,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What a request was about. Empty texts are missing fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// The resource by its plural name.
    pub resource: String,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Empty for lists, and for creations where the server makes the name.
    pub name: String,
    /// Empty for the core group.
    pub api_group: String,
    /// The version within the group.
    pub api_version: String,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// The resource version that the request named.
    pub resource_version: Option<String>,
}

/// The answer's code and, for failures, its words.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ResponseStatus {
    /// The HTTP status.
    pub code: u16,
    /// Such as `Conflict`.
    pub reason: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// The audit log of a control plane. An entry is there once its request has been answered in full.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file, one JSON object a line.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place where the log begins.
    pub fn start(&self) -> Mark {
        Mark(0)
    }

    /// The place where the log ends now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> Result<Mark> {
        std::fs::metadata(&self.path).map(|file| Mark(file.len())).map_err(Error::file("read", &self.path))
    }

    /// Everything answered since a mark was taken, in the order of the answers.
    ///
    /// # Errors
    /// When the log cannot be read or understood.
    pub fn since(&self, mark: Mark) -> Result<Vec<Entry>> {
        self.read(mark).map(|(entries, _)| entries)
    }

    /// What was changed since a mark was taken; see [`Entry::is_write`].
    ///
    /// # Errors
    /// As [`AuditLog::since`].
    pub fn writes_since(&self, mark: Mark) -> Result<Vec<Entry>> {
        let mut entries = self.since(mark)?;
        entries.retain(Entry::is_write);
        Ok(entries)
    }

    /// Everything answered since a mark was taken, and then whatever is answered from now on; ends with an error only.
    pub fn follow(&self, mark: Mark) -> impl Stream<Item = Result<Entry>> + Send + use<> {
        let start = (self.clone(), mark, Vec::new().into_iter());
        futures::stream::try_unfold(start, |(log, mut mark, mut entries)| async move {
            loop {
                if let Some(entry) = entries.next() {
                    return Ok(Some((entry, (log, mark, entries))));
                }
                let (more, end) = log.read(mark)?;
                if more.is_empty() {
                    tokio::time::sleep(FOLLOW_EVERY).await;
                }
                (mark, entries) = (end, more.into_iter());
            }
        })
    }

    /// Reads the whole lines after a mark, and where the next one begins. A mark may have been taken while a line was being
    /// written: then that line is before it.
    fn read(&self, mark: Mark) -> Result<(Vec<Entry>, Mark)> {
        let start = mark.0.saturating_sub(1);
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(start))?;
                file.read_to_end(&mut bytes)
            })
            .map_err(Error::file("read", &self.path))?;
        let first = match mark {
            Mark(0) => Some(0),
            Mark(_) => bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
        };
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let (Some(first), Some(end)) = (first, end) else { return Ok((Vec::new(), mark)) };
        let lines = bytes.get(first..end).unwrap_or_default();
        let entries = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line)
                    .map_err(|error| Error::Audit { path: self.path.clone(), problem: error.to_string() })
            })
            .collect::<Result<_>>()?;
        Ok((entries, Mark(start + end as u64)))
    }
}

/// What the API server is to log: bodies of writes, except of what holds secrets; for all else who asked for what.
pub(crate) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "resources": [
                {"group": "", "resources": ["secrets", "serviceaccounts/token"]},
                {"group": "authentication.k8s.io"},
                {"group": "coordination.k8s.io", "resources": ["leases"]},
            ]},
            // Their answer only repeats them.
            {"level": "Request", "verbs": WRITES, "resources": [
                {"group": "", "resources": ["events"]},
                {"group": "events.k8s.io", "resources": ["events"]},
            ]},
            {"level": "RequestResponse", "verbs": WRITES},
            {"level": "Metadata"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        let time = "2026-01-01T00:00:00.000000Z";
        let entry = json!({
            "auditID": id, "stage": "ResponseComplete", "verb": "get", "requestURI": "/", "user": {},
            "requestReceivedTimestamp": time, "stageTimestamp": time,
        });
        format!("{entry}\n")
    }

    #[test]
    fn a_line_that_was_being_written_when_the_mark_was_taken_is_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = AuditLog::new(folder.path().join("audit.log"));
        let ids = |mark| log.since(mark).expect("entries").into_iter().map(|entry| entry.audit_id).collect::<Vec<_>>();
        let half = |text: &str| text[..text.len() / 2].to_owned();
        std::fs::write(&log.path, line("one") + &half(&line("two"))).expect("a log");
        let mark = log.mark().expect("a mark");
        assert_eq!(ids(log.start()), ["one"]);
        assert!(ids(mark).is_empty());
        std::fs::write(&log.path, line("one") + &line("two") + &line("three")).expect("a log");
        assert_eq!(ids(mark), ["three"]);
        let end = log.mark().expect("a mark");
        assert!(ids(end).is_empty());
        assert_eq!(ids(log.start()), ["one", "two", "three"]);
    }
}
