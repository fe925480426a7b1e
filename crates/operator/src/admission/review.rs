//! One admission review: bytes in, bytes out, answered from memory.
//!
//! Where a namespace has a mark, objects are read for surgery at once. Elsewhere they are read slimly, and once more if one is
//! to be edited all the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use epiphyte_api::WorkloadKind;
use epiphyte_plan::{AutoTraceLabel, Container, Decision, Manifest, NamespaceFact, Part, Verdict, Workload};
use epiphyte_surgery::Rendering;
use json_patch::Patch;
use parking_lot::RwLock;
use serde::Deserialize as _;
use serde_json::Value;

use super::request::{self, API_VERSION, Depth, KIND, NotAReview, Object, Operation, Request};
use crate::index::Index;

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

/// An object could not be read, or its patch not be written.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Review(#[from] NotAReview),
    #[error("{0}")]
    Unreadable(#[from] epiphyte_surgery::Unreadable),
}

/// Answers a review.
///
/// # Errors
/// The body is no review: there is no request whose answer this could be.
pub fn review(body: &[u8], index: &RwLock<Index>, readiness: Readiness) -> Result<Answer, NotAReview> {
    let body = std::str::from_utf8(body)?;
    let is_marked = |namespace: &str| is_marked(index.read().namespace(namespace));
    let depth = |namespace: &str| if is_marked(namespace) { Depth::Whole } else { Depth::Slim };
    match request::read(body, depth) {
        Ok(mut request) => {
            let edit = edit(&mut request, body, index, readiness);
            answer(&request, edit, readiness)
        }
        // If the reason is in the objects, the request can still be answered.
        Err(NotAReview::Unreadable(problem)) => {
            answer(&request::read(body, |_| Depth::Unread)?, Err(problem.into()), readiness)
        }
        Err(other) => Err(other),
    }
}

/// Whether somebody has said something about a namespace as a whole.
fn is_marked(namespace: &NamespaceFact) -> bool {
    namespace.annotation.is_some() || !namespace.sources.is_empty() || namespace.lumigo.is_some()
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

/// The answer that has this edit in it.
fn answer(
    request: &Request<'_>,
    edit: Result<Option<Patch>, Problem>,
    readiness: Readiness,
) -> Result<Answer, NotAReview> {
    let (kind, operation) = (request.workload_kind(), request.operation());
    let (patch, outcome) = match (kind, readiness, edit) {
        (None, ..) => (None, Outcome::Unchanged),
        (Some(_), Readiness::NotReady, _) => (None, Outcome::NotReady),
        (Some(_), Readiness::Ready, Ok(None)) => (None, Outcome::Unchanged),
        (Some(_), Readiness::Ready, Ok(Some(patch))) => (Some(patch), Outcome::Patched),
        (Some(kind), Readiness::Ready, Err(problem)) => {
            let (namespace, name) = (&request.namespace, &request.name);
            tracing::warn!(%kind, %namespace, %name, %problem, "left alone under admission: cannot be read");
            (None, Outcome::Failed)
        }
    };
    Ok(Answer { body: reply(&request.uid, patch.as_ref())?, operation, kind, outcome })
}

/// The edit of the object, if there is one to make.
fn edit(
    request: &mut Request<'_>,
    body: &str,
    index: &RwLock<Index>,
    readiness: Readiness,
) -> Result<Option<Patch>, Problem> {
    let operation = request.operation();
    let Some((kind, object)) = request.workload_kind().zip(request.object.take()) else {
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
    let (new, object) = view(request, kind, object)?;
    if new.deleting || new.controlled {
        return Ok(None);
    }
    let (old, old_object) = match request.old_object.take() {
        Some(old) => view(request, kind, old).map(|(old, object)| (Some(old), object))?,
        None => (None, None),
    };
    let Some((verdict, rendering)) = consult(index, &new, old.as_ref()) else {
        return Ok(None);
    };

    let (object, old_object) = match object {
        Some(object) => (Some(object), old_object),
        None => {
            let request = request::read(body, |_| Depth::Whole)?;
            (request.object.and_then(Object::whole), request.old_object.and_then(Object::whole))
        }
    };
    let Some(mut object) = object else {
        return Ok(None);
    };
    let operation = epiphyte_surgery::admit(kind, &mut object, old_object.as_ref(), &verdict, &rendering)?;
    Ok(Some(operation.patch).filter(|patch| !patch.is_empty()))
}

/// The workload in an object, and the object if it was read for surgery. Under creation the request alone may know its
/// namespace, and nobody its name.
fn view(request: &Request<'_>, kind: WorkloadKind, object: Object) -> Result<(Workload, Option<Value>), Problem> {
    let (manifest, object) = match object {
        Object::Slim(manifest) => (*manifest, None),
        Object::Whole(object) => (Manifest::deserialize(&object)?, Some(object)),
    };
    let mut workload = manifest.into_workload(kind);
    workload.namespace = (&*request.namespace).into();
    if !request.name.is_empty() {
        workload.name = (&*request.name).into();
    }
    Ok((workload, object))
}

/// What the index says of the object; `None` where there is nothing to do about it.
fn consult(index: &RwLock<Index>, new: &Workload, old: Option<&Workload>) -> Option<(Verdict, Rendering)> {
    let index = index.read();
    let verdict = index.plan(new, old);
    (!is_settled(new, old, &verdict)).then(|| (verdict, index.rendering(new)))
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
