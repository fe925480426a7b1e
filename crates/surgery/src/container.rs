//! Puts a graft into a container, and takes off what was there of ours.

use epiphyte_api::names;
use epiphyte_plan::Container;
use json_patch::jsonptr::Pointer;
use serde_json::Value;

use crate::editor::{Editor, below, contains, named};
use crate::environment;
use crate::graft::Graft;

/// Brings a container from what it has of ours to what the graft says.
pub(crate) fn set(editor: &mut Editor<'_>, path: &Pointer, view: &Container, graft: Graft) {
    let Graft { devices: wanted, preloading, variables, mount } = graft;
    devices(editor, path, view, &wanted);
    environment::set(editor, &below(path, ["env"]), view, preloading, variables);
    mounts(editor, &below(path, ["volumeMounts"]), view, mount);
}

fn devices(editor: &mut Editor<'_>, path: &Pointer, view: &Container, wanted: &[Box<str>]) {
    let [limits, requests] = ["limits", "requests"].map(|map| below(path, ["resources", map]));
    for device in wanted {
        let device = limits.with_trailing_token(&**device);
        if editor.get(&device).is_none_or(|there| there != "1") {
            editor.set(device, "1".into());
        }
    }
    if view.devices.is_empty() {
        return;
    }
    let is_wanted = |name: &str| wanted.iter().any(|device| &**device == name);
    let unwanted = ours(editor, &limits).filter(|name| !is_wanted(name)).cloned().collect::<Vec<_>>();
    editor.remove_members(&limits, &unwanted);
    let unwanted = ours(editor, &requests).cloned().collect::<Vec<_>>();
    editor.remove_members(&requests, &unwanted);
}

/// The members of a map of resources that are under our prefix.
fn ours<'e>(editor: &'e Editor<'_>, path: &Pointer) -> impl Iterator<Item = &'e String> {
    editor.map(path).into_iter().flatten().map(|(name, _)| name).filter(|name| name.starts_with(names::DEVICE_PREFIX))
}

fn mounts(editor: &mut Editor<'_>, path: &Pointer, view: &Container, wanted: Option<Value>) {
    let there = if view.injected { named(editor.list(path), names::INJECTOR_NAME) } else { Vec::new() };
    match (wanted, there.split_first()) {
        (Some(mount), Some((first, rest))) => {
            editor.remove_items(path, rest);
            replace_unless_there(editor, path, *first, mount);
        }
        (Some(mount), None) => editor.append(path, vec![mount]),
        (None, _) => editor.remove_items(path, &there),
    }
}

/// Puts an item of ours in the place of an older one. One that lacks nothing stays, with what the API server or another
/// webhook has added to it.
pub(crate) fn replace_unless_there(editor: &mut Editor<'_>, list: &Pointer, index: usize, wanted: Value) {
    let path = list.with_trailing_token(index);
    if editor.get(&path).is_none_or(|there| !contains(there, &wanted)) {
        editor.set(path, wanted);
    }
}
