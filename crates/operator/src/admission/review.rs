//! One admission review: bytes in, bytes out, answered from memory.
//!
//! Objects are read slimly. Only where something is to be edited the request is read once more, for what surgery edits.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use epiphyte_api::WorkloadKind;
use epiphyte_plan::{AutoTraceLabel, Container, Decision, Manifest, Part, Verdict, Workload};
use epiphyte_surgery::Rendering;
use json_patch::Patch;
use parking_lot::RwLock;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::index::Index;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The answer to a review. Every answer allows the write.
#[derive(Debug)]
pub struct Answer {
    /// The response as JSON.
    pub body: Vec<u8>,
    /// What was asked to be done with the object.
    pub operation: Operation,
    /// Kind of the object; `None` for one that is no workload.
    pub kind: Option<WorkloadKind>,
    /// What became of the object.
    pub outcome: Outcome,
}

/// What was asked to be done with an object, as far as it matters to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is updated.
    Update,
    /// Something that we have no part in.
    Other,
}

impl Operation {
    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Other => "other",
        }
    }
}

/// What became of an object under admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was edited.
    Patched,
    /// There was nothing to do.
    Unchanged,
    /// We could not make sense of it and left it alone.
    Failed,
    /// We did not know the cluster yet and left it alone.
    NotReady,
}

impl Outcome {
    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::Unchanged => "unchanged",
            Self::Failed => "error",
            Self::NotReady => "not_ready",
        }
    }
}

/// Whether the index knows the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// First lists are still awaited.
    NotReady,
}

/// The body is no `AdmissionReview` that asks for something.
#[derive(Debug, thiserror::Error)]
pub enum NotAReview {
    /// It is no text.
    #[error("no AdmissionReview of {API_VERSION}: {0}")]
    NoText(#[from] std::str::Utf8Error),
    /// It cannot be read as one.
    #[error("no AdmissionReview of {API_VERSION}: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is another object.
    #[error("no AdmissionReview of {API_VERSION}")]
    OtherObject,
}

/// The body of a request, with the objects in it read as an `O`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct Review<'a, O> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Request<'a, O>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct Request<'a, O> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    kind: GroupVersionKind<'a>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    object: Option<O>,
    old_object: Option<O>,
}

/// What surgery looks at in an object: all but its status, and but the notes on who manages which field, which are half of
/// an object.
#[derive(Deserialize)]
struct Editable {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "managedFields")]
    _managed_fields: IgnoredAny,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl From<Editable> for Value {
    fn from(Editable { metadata, spec }: Editable) -> Self {
        let members = [("metadata", Value::Object(metadata.rest)), ("spec", spec)];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[derive(Deserialize)]
struct GroupVersionKind<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

/// An object could not be read, or its patch not be written.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Unreadable(#[from] epiphyte_surgery::Unreadable),
}

/// Answers a review.
///
/// # Errors
/// The body is no review: there is no request whose answer this could be.
pub fn review(body: &[u8], index: &RwLock<Index>, readiness: Readiness) -> Result<Answer, NotAReview> {
    let body = std::str::from_utf8(body)?;
    match read::<Manifest>(body) {
        Ok(mut request) => {
            let edit = request.edit(body, index, readiness);
            request.answer(edit, readiness)
        }
        // If the reason is in the objects, the request can still be answered.
        Err(NotAReview::Unreadable(problem)) => read::<IgnoredAny>(body)?.answer(Err(problem.into()), readiness),
        Err(other) => Err(other),
    }
}

/// Reads the request in a review.
fn read<'a, O: Deserialize<'a>>(body: &'a str) -> Result<Request<'a, O>, NotAReview> {
    let Review { api_version, kind, request } = serde_json::from_str(body)?;
    if api_version != API_VERSION || kind != KIND {
        return Err(NotAReview::OtherObject);
    }
    Ok(request)
}

/// The response that allows the write. Base64 needs no escaping, and is not searched for what would.
fn reply(uid: &str, patch: Option<&Patch>) -> Result<Vec<u8>, serde_json::Error> {
    let mut reply = format!(r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","response":{{"uid":"#);
    reply += &serde_json::to_string(uid)?;
    reply += r#","allowed":true"#;
    if let Some(patch) = patch {
        reply += r#","patchType":"JSONPatch","patch":""#;
        BASE64.encode_string(serde_json::to_vec(patch)?, &mut reply);
        reply += "\"";
    }
    reply += "}}";
    Ok(reply.into_bytes())
}

impl GroupVersionKind<'_> {
    fn workload(&self) -> Option<WorkloadKind> {
        let is_this =
            |kind: &WorkloadKind| self.kind == kind.as_str() && self.group == kind.group() && self.version == "v1";
        WorkloadKind::ALL.into_iter().find(is_this)
    }
}

impl<O> Request<'_, O> {
    fn operation(&self) -> Operation {
        match &*self.operation {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            _ => Operation::Other,
        }
    }

    /// The answer that has this edit in it.
    fn answer(&self, edit: Result<Option<Patch>, Problem>, readiness: Readiness) -> Result<Answer, NotAReview> {
        let (kind, operation) = (self.kind.workload(), self.operation());
        let (patch, outcome) = match (kind, readiness, edit) {
            (None, ..) => (None, Outcome::Unchanged),
            (Some(_), Readiness::NotReady, _) => (None, Outcome::NotReady),
            (Some(_), Readiness::Ready, Ok(None)) => (None, Outcome::Unchanged),
            (Some(_), Readiness::Ready, Ok(Some(patch))) => (Some(patch), Outcome::Patched),
            (Some(kind), Readiness::Ready, Err(problem)) => {
                let Self { namespace, name, .. } = self;
                tracing::warn!(%kind, %namespace, %name, %problem, "left alone under admission: cannot be read");
                (None, Outcome::Failed)
            }
        };
        Ok(Answer { body: reply(&self.uid, patch.as_ref())?, operation, kind, outcome })
    }
}

impl Request<'_, Manifest> {
    /// The edit of the object, if there is one to make.
    fn edit(&mut self, body: &str, index: &RwLock<Index>, readiness: Readiness) -> Result<Option<Patch>, Problem> {
        let operation = self.operation();
        let Some((kind, object)) = self.kind.workload().zip(self.object.take()) else {
            return Ok(None);
        };
        // The template of a Job that exists cannot change.
        let is_ours_to_edit = match operation {
            Operation::Create => true,
            Operation::Update => kind != WorkloadKind::Job,
            Operation::Other => false,
        };
        if !is_ours_to_edit || readiness == Readiness::NotReady {
            return Ok(None);
        }
        let new = self.workload(kind, object);
        if new.deleting || new.controlled {
            return Ok(None);
        }
        let old = self.old_object.take().map(|old| self.workload(kind, old));
        let Some((verdict, rendering)) = consult(index, &new, old.as_ref()) else {
            return Ok(None);
        };

        let Review { request, .. } = serde_json::from_str::<Review<'_, Editable>>(body)?;
        let Some(mut object) = request.object.map(Value::from) else {
            return Ok(None);
        };
        let old = request.old_object.map(Value::from);
        let operation = epiphyte_surgery::admit(kind, &mut object, old.as_ref(), &verdict, &rendering)?;
        Ok(Some(operation.patch).filter(|patch| !patch.is_empty()))
    }

    /// The workload in a manifest. Under creation the request alone may know its namespace, and nobody its name.
    fn workload(&self, kind: WorkloadKind, manifest: Manifest) -> Workload {
        let mut workload = manifest.into_workload(kind);
        workload.namespace = (&*self.namespace).into();
        if !self.name.is_empty() {
            workload.name = (&*self.name).into();
        }
        workload
    }
}

/// What the index says of the object; `None` where there is nothing to do about it.
fn consult(index: &RwLock<Index>, new: &Workload, old: Option<&Workload>) -> Option<(Verdict, Rendering)> {
    let index = index.read();
    let verdict = index.plan(new, old);
    (!is_settled(new, old, &verdict)).then(|| (verdict, index.rendering(&new.namespace)))
}

/// Whether nothing is to be added, and nothing of ours is there that could be taken off or carried over.
fn is_settled(new: &Workload, old: Option<&Workload>, verdict: &Verdict) -> bool {
    let adds = verdict.containers.iter().any(|container| matches!(container.decision, Decision::On(_)));
    !adds && is_bare(new) && old.is_none_or(is_bare)
}

/// Whether nothing of ours is in a workload.
fn is_bare(workload: &Workload) -> bool {
    let pod = &workload.pod;
    pod.volume != Part::Ours
        && pod.init_container != Part::Ours
        && workload.label != Some(AutoTraceLabel::Version)
        && !pod.containers.iter().any(Container::is_ours)
}
