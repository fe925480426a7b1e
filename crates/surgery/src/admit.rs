//! Brings a workload to its verdict while a write is under admission.

use std::borrow::Cow;

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{Container, Decision, Pod, Verdict};
use json_patch::Patch;
use serde_json::Value;

use crate::bare::{self, Template};
use crate::editor::Editor;
use crate::graft::{Shared, instruments};
use crate::wish::{Before, Wish, bare_view, carry_out, unless_refused};
use crate::{Operation, Rendering, Unreadable, operate, pod, read};

/// Brings a workload to its verdict while it is created (`old` is `None`) or updated.
///
/// An update must not roll a workload by surprise: where its own template is as it was and the verdict still says of each
/// container what is on already, our parts are taken over from the old object as they were. Otherwise they are made anew.
/// *Keep* means what the old object had; on creation, what the new one has.
///
/// # Errors
/// One of the objects cannot be read as a workload; both are left as they are.
pub fn admit(
    kind: WorkloadKind,
    new: &mut Value,
    old: Option<&Value>,
    verdict: &Verdict,
    rendering: &Rendering,
) -> Result<Operation, Unreadable> {
    let Some(old) = old else {
        return operate(kind, new, verdict, rendering);
    };
    let (before, after) = (read(kind, old)?.pod, read(kind, new)?.pod);
    let before = Before { object: old, view: &before };
    let is_same = before.has_ours() && before.has_the_same_bare_template(kind, new, &after);
    let has_been = |container: &Container, instrument| {
        let then = before.view.container(&container.name);
        then.and_then(|then| before.view.instrument(then)) == Some(instrument)
    };
    let is_settled = |container: &Container| match verdict.decision(&container.name) {
        Decision::On(instrument) => has_been(container, instrument),
        Decision::Keep | Decision::Off => true,
    };
    // Obstacles are asked about only where something may be added to what has been.
    let bare = if is_same && after.containers.iter().all(is_settled) {
        Cow::Borrowed(&after)
    } else {
        bare_view(kind, new, &after)?
    };

    let mut refused = Vec::new();
    let mut wishes = Vec::with_capacity(bare.containers.len());
    for container in bare.containers.iter() {
        let then = before.container(kind, &container.name);
        wishes.push(match (verdict.decision(&container.name), then) {
            (Decision::On(instrument), _) if is_same && has_been(container, instrument) => Wish::Anew(instrument),
            (Decision::On(instrument), _) => {
                unless_refused(Wish::Anew(instrument), [instrument], (&bare, container), &mut refused)
            }
            (Decision::Keep, Some((view, manifest))) if is_same && view.is_ours() => Wish::AsBefore(view, manifest),
            (Decision::Keep, Some((view, manifest))) if view.is_ours() => {
                unless_refused(Wish::AsBefore(view, manifest), instruments(view), (&bare, container), &mut refused)
            }
            (Decision::Keep | Decision::Off, _) => Wish::Bare,
        });
    }

    let patch = if is_same && before.fulfils(&after, &wishes) {
        take_over(kind, new, &before)
    } else {
        carry_out(kind, new, &after, &wishes, rendering, Some(&before))
    };
    Ok(Operation { patch, refused })
}

impl<'a> Before<'a> {
    fn container(&self, kind: WorkloadKind, name: &str) -> Option<(&'a Container, &'a Value)> {
        let position = self.view.containers.iter().position(|container| &*container.name == name)?;
        let manifest = self.object.pointer(kind.template_pointer())?.get("spec")?.get("containers")?.get(position)?;
        Some((self.view.containers.get(position)?, manifest))
    }

    fn has_ours(&self) -> bool {
        self.view.containers.iter().any(Container::is_ours)
    }

    /// Whether each container had already what is wished.
    fn fulfils(&self, after: &Pod, wishes: &[Wish<'_>]) -> bool {
        let mut containers = after.containers.iter().zip(wishes);
        let was_as_wished = |(container, wish): (&Container, &Wish<'_>)| {
            let before = self.view.container(&container.name);
            match wish {
                Wish::Bare => !before.is_some_and(Container::is_ours),
                Wish::Anew(wanted) => before.and_then(|before| self.view.instrument(before)) == Some(*wanted),
                Wish::AsBefore(..) | Wish::Leave => true,
            }
        };
        containers.all(was_as_wished)
    }

    fn has_the_same_bare_template(&self, kind: WorkloadKind, new: &Value, after: &Pod) -> bool {
        let then = Template { value: self.object.pointer(kind.template_pointer()), view: self.view };
        let now = Template { value: new.pointer(kind.template_pointer()), view: after };
        bare::is_same(then, now)
    }
}

/// Gives the new object the template of the old one, which differs in our parts only, and its version label.
fn take_over(kind: WorkloadKind, new: &mut Value, before: &Before<'_>) -> Patch {
    let template = pod::template_path(kind);
    let mut editor = Editor::new(new);
    if let Some(old) = before.object.pointer(template.as_str()) {
        editor.turn_into(&template, old);
    }
    let labels = Shared { volume: None, init_container: None, ..Shared::taken(kind, before.view, before.object) };
    pod::set(&mut editor, kind, labels);
    editor.into_patch()
}
