//! Brings a workload to its verdict.

use std::borrow::Cow;

use epiphyte_api::{Reason, WorkloadKind};
use epiphyte_plan::{Container, Decision, Pod, Verdict};
use json_patch::Patch;
use serde_json::Value;

use crate::wish::{SharedWish, Wish, bare_view, carry_out, unless_refused};
use crate::{Rendering, Unreadable, pod, read};

/// What surgery has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// The edit; empty where the object was already as it is to be.
    pub patch: Patch,
    /// Containers that were to be instrumented and cannot be, in the order of the template: they are left bare.
    pub refused: Vec<Refusal>,
}

/// A container that was left bare against the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the container.
    pub container: Box<str>,
    /// What stands in the way.
    pub reason: Reason,
}

/// Brings a workload to its verdict. Where every container has what the verdict says already, nothing is edited, whatever
/// the rendering; otherwise our parts are made anew for all containers that are to be on.
///
/// # Errors
/// The object cannot be read as a workload; it is left as it is.
pub fn operate(
    kind: WorkloadKind,
    object: &mut Value,
    verdict: &Verdict,
    rendering: &Rendering,
) -> Result<Operation, Unreadable> {
    let workload = read(kind, object)?;
    let view = &workload.pod;
    let is_to_change = |container: &Container| match verdict.decision(&container.name) {
        Decision::On(instrument) => view.instrument(container) != Some(instrument),
        Decision::Off | Decision::Keep => false,
    };
    let bare =
        if view.containers.iter().any(is_to_change) { bare_view(kind, object, view)? } else { Cow::Borrowed(view) };

    let mut refused = Vec::new();
    let mut wishes = Vec::with_capacity(view.containers.len());
    for (container, as_bare) in view.containers.iter().zip(&bare.containers) {
        wishes.push(match verdict.decision(&container.name) {
            Decision::Keep => Wish::Leave,
            Decision::Off => Wish::Bare,
            Decision::On(instrument) if is_to_change(container) => {
                unless_refused(Wish::Anew(instrument), [instrument], (&bare, as_bare), &mut refused)
            }
            Decision::On(instrument) => Wish::Anew(instrument),
        });
    }
    let patch = if is_fulfilled(kind, object, view, &wishes) {
        Patch::default()
    } else {
        carry_out(kind, object, view, &wishes, rendering, None)
    };
    Ok(Operation { patch, refused })
}

fn is_fulfilled(kind: WorkloadKind, object: &Value, view: &Pod, wishes: &[Wish<'_>]) -> bool {
    let is_as_wished = |(container, wish): (&Container, &Wish<'_>)| match wish {
        Wish::Leave => true,
        Wish::Bare => !container.is_ours(),
        Wish::Anew(instrument) => view.instrument(container) == Some(*instrument),
        Wish::AsBefore(..) => false,
    };
    let leftovers = SharedWish::of(view, wishes) == SharedWish::Bare && pod::has_shared(kind, view, object);
    view.containers.iter().zip(wishes).all(is_as_wished) && !leftovers
}
