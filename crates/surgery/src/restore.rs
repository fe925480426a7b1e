//! Takes everything of ours off a workload.

use epiphyte_api::WorkloadKind;
use epiphyte_plan::Pod;
use json_patch::Patch;
use serde_json::{Value, json};

use crate::editor::{Editor, below};
use crate::graft::Graft;
use crate::{Unreadable, container, pod, read};

/// Takes everything of ours off a workload and returns the edit; the patch is empty where nothing of ours is.
///
/// # Errors
/// The object cannot be read as a workload; it is left as it is.
pub fn restore(kind: WorkloadKind, object: &mut Value) -> Result<Patch, Unreadable> {
    let workload = read(kind, object)?;
    let mut editor = Editor::new(object);
    strip(&mut editor, kind, &workload.pod);
    Ok(editor.into_patch())
}

fn strip(editor: &mut Editor<'_>, kind: WorkloadKind, view: &Pod) {
    let containers = below(&pod::template_path(kind), ["spec", "containers"]);
    for (index, view) in view.containers.iter().enumerate().filter(|(_, view)| view.is_ours()) {
        container::set(editor, &containers.with_trailing_token(index), view, Graft::default());
    }
    pod::remove(editor, kind, view);
}

/// The kind as which a [`bare_template`] is read.
pub(crate) const CARRIER: WorkloadKind = WorkloadKind::Deployment;

/// A copy of the template without anything of ours, in an object that has nothing else.
pub(crate) fn bare_template(kind: WorkloadKind, object: &Value, view: &Pod) -> Value {
    let template = object.pointer(kind.template_pointer()).cloned();
    let mut carrier = json!({ "spec": { "template": template } });
    strip(&mut Editor::new(&mut carrier), CARRIER, view);
    carrier
}
