//! From a verdict and a raw workload to a minimal JSON patch, and its exact inverse. Pure.
//!
//! [`operate`] brings a workload to its verdict, [`admit`] does so while a write is under admission, [`restore`] takes
//! everything of ours off. All three edit the object in place and return the same edit as a JSON patch. What is ours is
//! told from the object alone, as [`epiphyte_plan::Container::is_ours`] reads it, so that
//! `restore(operate(x)) == x` in [`normal_form`] for every `x` that surgery accepts; what it does not accept it leaves bare
//! and says so in [`Operation::refused`].

mod admit;
mod bare;
mod container;
mod editor;
mod environment;
#[cfg(feature = "generator")]
pub mod generator;
mod graft;
mod operate;
mod pod;
mod rendering;
mod resources;
mod restore;
mod vacant;
mod wish;

pub use admit::admit;
pub use operate::{Operation, Refusal, operate};
pub use rendering::Rendering;
pub use restore::restore;
pub use vacant::normal_form;

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{Manifest, Workload};
use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, ReplaceOperation};
use serde::Deserialize;
use serde_json::Value;

/// The object cannot be read as a workload. It has not been touched.
#[derive(Debug, thiserror::Error)]
#[error("not a workload that can be read: {0}")]
pub struct Unreadable(#[from] serde_json::Error);

/// The patch under the condition that the stored object still has this resource version; otherwise the API server answers
/// with a conflict.
#[must_use]
pub fn with_resource_version(patch: Patch, resource_version: &str) -> Patch {
    let condition = PatchOperation::Replace(ReplaceOperation {
        path: PointerBuf::from_tokens(["metadata", "resourceVersion"]),
        value: resource_version.into(),
    });
    Patch(std::iter::once(condition).chain(patch.0).collect())
}

fn read(kind: WorkloadKind, object: &Value) -> Result<Workload, Unreadable> {
    Ok(Manifest::deserialize(object)?.into_workload(kind))
}
