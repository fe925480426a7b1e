//! What is to become of each container once the obstacles have been heard, and its carrying out.

use std::borrow::Cow;

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{Container, Instrument, Pod, obstacle};
use json_patch::Patch;
use serde_json::Value;

use crate::editor::{Editor, below};
use crate::graft::{Graft, Shared};
use crate::restore::{CARRIER, bare_template};
use crate::{Refusal, Rendering, Unreadable, container, pod, read};

/// What is to become of a container.
pub(crate) enum Wish<'a> {
    /// It stays as it is.
    Leave,
    /// Nothing of ours is on it.
    Bare,
    /// It has what instruments it, made anew.
    Anew(Instrument),
    /// It has what it had in an older state of the object: the view of the container then, and its manifest.
    AsBefore(&'a Container, &'a Value),
}

/// An older state of an object.
pub(crate) struct Before<'a> {
    pub(crate) object: &'a Value,
    pub(crate) view: &'a Pod,
}

/// What is to become of volume, init container and version labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharedWish {
    /// They stay as they are.
    Leave,
    /// They go: no container is injected.
    Bare,
    /// They are made anew.
    Anew,
    /// They are what they were in the older state of the object.
    AsBefore,
}

impl SharedWish {
    pub(crate) fn of(view: &Pod, wishes: &[Wish<'_>]) -> Self {
        let stays_injected = |(view, wish): (&Container, &Wish<'_>)| matches!(wish, Wish::Leave) && view.injected;
        if wishes.iter().any(|wish| matches!(wish, Wish::Anew(Instrument::Injector))) {
            Self::Anew
        } else if wishes.iter().any(|wish| matches!(wish, Wish::AsBefore(then, _) if then.injected)) {
            Self::AsBefore
        } else if wishes.iter().all(|wish| matches!(wish, Wish::Leave))
            || view.containers.iter().zip(wishes).any(stays_injected)
        {
            Self::Leave
        } else {
            Self::Bare
        }
    }
}

/// The pod as it would be without anything of ours: it is what obstacles are asked of, so that the answer is the same
/// before and after a container has been left bare because of one.
pub(crate) fn bare_view<'a>(kind: WorkloadKind, object: &Value, view: &'a Pod) -> Result<Cow<'a, Pod>, Unreadable> {
    if view.containers.iter().any(Container::is_ours) {
        Ok(Cow::Owned(read(CARRIER, &bare_template(kind, object, view))?.pod))
    } else {
        Ok(Cow::Borrowed(view))
    }
}

/// The wish, unless something stands in the way of one of the instruments; then the container is left bare.
pub(crate) fn unless_refused<'a>(
    wish: Wish<'a>,
    instruments: impl IntoIterator<Item = Instrument>,
    bare: (&Pod, &Container),
    refused: &mut Vec<Refusal>,
) -> Wish<'a> {
    let (pod, container) = bare;
    match instruments.into_iter().find_map(|instrument| obstacle(pod, container, instrument)) {
        None => wish,
        Some(reason) => {
            refused.push(Refusal { container: container.name.clone(), reason });
            Wish::Bare
        }
    }
}

/// Edits an object until every wish is fulfilled, replacing only what differs.
pub(crate) fn carry_out(
    kind: WorkloadKind,
    object: &mut Value,
    view: &Pod,
    wishes: &[Wish<'_>],
    rendering: &Rendering,
    before: Option<&Before<'_>>,
) -> Patch {
    let mut editor = Editor::new(object);
    let containers = below(&pod::template_path(kind), ["spec", "containers"]);
    for (index, (view, wish)) in view.containers.iter().zip(wishes).enumerate() {
        let graft = match wish {
            Wish::Leave => continue,
            Wish::Bare if !view.is_ours() => continue,
            Wish::Bare => Graft::default(),
            Wish::Anew(instrument) => Graft::rendered(*instrument, &view.name, rendering),
            Wish::AsBefore(view, container) => Graft::taken(view, container),
        };
        container::set(&mut editor, &containers.with_trailing_token(index), view, graft);
    }
    match (SharedWish::of(view, wishes), before) {
        (SharedWish::Anew, _) => {
            let shared = Shared::rendered(kind, editor.object(), rendering);
            pod::set(&mut editor, kind, shared);
        }
        (SharedWish::AsBefore, Some(before)) => {
            pod::set(&mut editor, kind, Shared::taken(kind, before.view, before.object));
        }
        (SharedWish::Bare, _) => pod::remove(&mut editor, kind, view),
        (SharedWish::Leave | SharedWish::AsBefore, _) => {}
    }
    editor.into_patch()
}
