//! One admission review: bytes in, bytes out, answered from memory.
//!
//! Objects are read slimly from the request's own bytes. Only where something is to be edited they are parsed in full.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use epiphyte_api::WorkloadKind;
use epiphyte_plan::{AutoTraceLabel, Container, Decision, Manifest, Part, Verdict, Workload};
use epiphyte_surgery::Rendering;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

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
    /// It cannot be read as one.
    #[error("no AdmissionReview of {API_VERSION}: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is another object.
    #[error("no AdmissionReview of {API_VERSION}")]
    OtherObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
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
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(flatten)]
    patch: Option<Patch>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    patch_type: &'static str,
    patch: String,
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
    let Review { api_version, kind, request } = serde_json::from_slice(body)?;
    if api_version != API_VERSION || kind != KIND {
        return Err(NotAReview::OtherObject);
    }
    let (kind, operation) = (request.kind.workload(), request.operation());
    let reply = |patch| {
        let response = Response { uid: &request.uid, allowed: true, patch };
        serde_json::to_vec(&Reply { api_version: API_VERSION, kind: KIND, response })
    };
    let (body, outcome) = match (kind, readiness) {
        (None, _) => (reply(None)?, Outcome::Unchanged),
        (Some(_), Readiness::NotReady) => (reply(None)?, Outcome::NotReady),
        (Some(kind), Readiness::Ready) => match request.edit(kind, operation, index) {
            Ok(None) => (reply(None)?, Outcome::Unchanged),
            Ok(Some(patch)) => (reply(Some(patch))?, Outcome::Patched),
            Err(problem) => {
                let Request { namespace, name, .. } = &request;
                tracing::warn!(%kind, %namespace, %name, %problem, "left alone under admission: cannot be read");
                (reply(None)?, Outcome::Failed)
            }
        },
    };
    Ok(Answer { body, operation, kind, outcome })
}

impl GroupVersionKind<'_> {
    fn workload(&self) -> Option<WorkloadKind> {
        let is_this =
            |kind: &WorkloadKind| self.kind == kind.as_str() && self.group == kind.group() && self.version == "v1";
        WorkloadKind::ALL.into_iter().find(is_this)
    }
}

impl Request<'_> {
    fn operation(&self) -> Operation {
        match &*self.operation {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            _ => Operation::Other,
        }
    }

    /// The edit of the object, if there is one to make.
    fn edit(&self, kind: WorkloadKind, operation: Operation, index: &RwLock<Index>) -> Result<Option<Patch>, Problem> {
        let (Some(object), old) = (self.object, self.old_object) else {
            return Ok(None);
        };
        // The template of a Job that exists cannot change.
        let is_ours_to_edit = match operation {
            Operation::Create => true,
            Operation::Update => kind != WorkloadKind::Job,
            Operation::Other => false,
        };
        if !is_ours_to_edit {
            return Ok(None);
        }
        let new_view = self.read(kind, object)?;
        if new_view.deleting || new_view.controlled {
            return Ok(None);
        }
        let old_view = old.map(|old| self.read(kind, old)).transpose()?;
        let Some((verdict, rendering)) = consult(index, &new_view, old_view.as_ref()) else {
            return Ok(None);
        };

        let mut object: Value = serde_json::from_str(object.get())?;
        let old: Option<Value> = old.map(|old| serde_json::from_str(old.get())).transpose()?;
        let operation = epiphyte_surgery::admit(kind, &mut object, old.as_ref(), &verdict, &rendering)?;
        if operation.patch.0.is_empty() {
            return Ok(None);
        }
        let patch = BASE64.encode(serde_json::to_vec(&operation.patch)?);
        Ok(Some(Patch { patch_type: "JSONPatch", patch }))
    }

    /// Reads an object slimly. Under creation the request alone may know its namespace, and nobody its name.
    fn read(&self, kind: WorkloadKind, object: &RawValue) -> Result<Workload, Problem> {
        let mut workload = serde_json::from_str::<Manifest>(object.get())?.into_workload(kind);
        workload.namespace = (&*self.namespace).into();
        if !self.name.is_empty() {
            workload.name = (&*self.name).into();
        }
        Ok(workload)
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
