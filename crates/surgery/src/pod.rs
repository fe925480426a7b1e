//! Puts into a pod template what all its injected containers need, and takes it off.

use epiphyte_api::{WorkloadKind, names};
use epiphyte_plan::{Part, Pod};
use json_patch::jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use crate::container::replace_unless_there;
use crate::editor::{Editor, below, named};
use crate::graft::{Shared, label_paths, version_label};
use crate::vacant::is_vacant;

/// Path to the pod template in an object of a kind.
pub(crate) fn template_path(kind: WorkloadKind) -> PointerBuf {
    PointerBuf::from_tokens(kind.template_pointer().split('/').skip(1))
}

/// Puts volume, init container and version labels in.
pub(crate) fn set(editor: &mut Editor<'_>, kind: WorkloadKind, shared: Shared) {
    let template = template_path(kind);
    for (list, wanted) in [("volumes", shared.volume), ("initContainers", shared.init_container)] {
        if let Some(wanted) = wanted {
            item(editor, &below(&template, ["spec", list]), wanted);
        }
    }
    for (path, version) in shared.labels {
        let there = editor.get(&path);
        let is_free = is_vacant(there) || version_label(there).is_some();
        if is_free && there.is_none_or(|there| there != version.as_str()) {
            editor.set(path, version.into());
        }
    }
}

fn item(editor: &mut Editor<'_>, list: &Pointer, wanted: Value) {
    match named(editor.list(list), names::INJECTOR_NAME).first() {
        // What the pod asks for no more is not to be left on ours.
        Some(index) if !has_same_resources(editor.list(list).get(*index), &wanted) => {
            editor.set(list.with_trailing_token(*index), wanted);
        }
        Some(index) => replace_unless_there(editor, list, *index, wanted),
        None => editor.append(list, vec![wanted]),
    }
}

fn has_same_resources(there: Option<&Value>, wanted: &Value) -> bool {
    let [there, wanted] = [there, Some(wanted)].map(|item| item?.get("resources").filter(|it| !is_vacant(Some(it))));
    there == wanted
}

/// Takes volume, init container and version labels of ours off.
pub(crate) fn remove(editor: &mut Editor<'_>, kind: WorkloadKind, view: &Pod) {
    let template = template_path(kind);
    for (list, part) in [("initContainers", view.init_container), ("volumes", view.volume)] {
        if part == Part::Ours {
            let path = below(&template, ["spec", list]);
            let indices = named(editor.list(&path), names::INJECTOR_NAME);
            editor.remove_items(&path, &indices);
        }
    }
    for path in label_paths(kind) {
        if let (Some(_), Some(labels)) = (version_label(editor.get(&path)), path.parent()) {
            editor.remove_members(labels, &[names::AUTO_TRACE_LABEL.to_owned()]);
        }
    }
}

/// Whether something that injected containers share is there.
pub(crate) fn has_shared(kind: WorkloadKind, view: &Pod, object: &Value) -> bool {
    view.volume == Part::Ours
        || view.init_container == Part::Ours
        || label_paths(kind).iter().any(|path| version_label(object.pointer(path.as_str())).is_some())
}
