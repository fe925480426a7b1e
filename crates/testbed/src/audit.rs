//! Reads the API server's audit log, so that a test can tell who wrote what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::Stream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Error, Result};

/// How often the log is looked at while it is followed.
const FOLLOW_EVERY: Duration = Duration::from_millis(20);

/// How much of the log is searched at once for the end of its last line.
const BLOCK: usize = 64 * 1024;

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

    /// The place where the log ends now. A line that is just being written, of which the file may have a part already, comes
    /// after it: that request is not answered yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> Result<Mark> {
        File::open(&self.path)
            .and_then(|mut file| {
                let length = file.metadata()?.len();
                end_of_last_line(&mut file, length)
            })
            .map(Mark)
            .map_err(Error::file("read", &self.path))
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

    /// Reads the whole lines after a mark, and where the next one begins.
    fn read(&self, mark: Mark) -> Result<(Vec<Entry>, Mark)> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(mark.0))?;
                file.read_to_end(&mut bytes)
            })
            .map_err(Error::file("read", &self.path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        let entries = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line)
                    .map_err(|error| Error::Audit { path: self.path.clone(), problem: error.to_string() })
            })
            .collect::<Result<_>>()?;
        Ok((entries, Mark(mark.0 + whole as u64)))
    }
}

/// Where the last whole line of what is read ends; `length` is how much of it counts.
fn end_of_last_line(log: &mut (impl Read + Seek), length: u64) -> std::io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let size = usize::try_from(end - start).unwrap_or(BLOCK);
        let block = block.get_mut(..size).unwrap_or_default();
        log.seek(SeekFrom::Start(start))?;
        log.read_exact(block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
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
    use std::io::Cursor;

    use super::*;

    fn end(log: &str) -> u64 {
        end_of_last_line(&mut Cursor::new(log), log.len() as u64).expect("it is read")
    }

    #[test]
    fn a_line_that_is_not_whole_yet_comes_after_a_mark() {
        assert_eq!([end(""), end("{}"), end("{}\n"), end("{}\n{")], [0, 0, 3, 3]);
        let long = "x".repeat(2 * BLOCK);
        assert_eq!(end(&long), 0);
        assert_eq!(end(&format!("{{}}\n{long}")), 3);
        assert_eq!(end(&format!("{long}\n{{")), 2 * BLOCK as u64 + 1);
    }
}
