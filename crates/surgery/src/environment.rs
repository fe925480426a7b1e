//! Puts a graft into the variables of a container, and takes off what was there of ours.

use epiphyte_api::names;
use epiphyte_plan::Container;
use json_patch::jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use crate::editor::{Editor, name_of};
use crate::graft::{Preloading, is_among};
use crate::rendering::variable;

/// Brings the list of variables from what it has of ours to what the graft says; all others stay as and where they are.
pub(crate) fn set(
    editor: &mut Editor<'_>,
    path: &Pointer,
    view: &Container,
    preloading: Preloading,
    variables: Vec<Value>,
) {
    let env = editor.list(path);
    let mut plan = Plan { path, replaced: Vec::new(), removed: Vec::new(), added: Vec::new() };
    plan.preload(env, view, preloading);
    plan.variables(env, view, variables);

    let Plan { replaced, mut removed, added, .. } = plan;
    removed.sort_unstable();
    for (path, value) in replaced {
        editor.set(path, value);
    }
    editor.remove_items(path, &removed);
    editor.append(path, added);
}

struct Plan<'a> {
    path: &'a Pointer,
    replaced: Vec<(PointerBuf, Value)>,
    removed: Vec<usize>,
    added: Vec<Value>,
}

impl Plan<'_> {
    fn preload(&mut self, env: &[Value], view: &Container, preloading: Preloading) {
        let libraries = own_libraries(view);
        let literals: Vec<(usize, &str, Option<String>)> = env
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((index, literal_preload(entry)?)))
            .map(|(index, value)| (index, value, without(value, &libraries)))
            .collect();
        let somebody_elses = literals.iter().any(|(.., rest)| rest.is_some());
        let mut wants_entry = preloading == Preloading::ByManifest && !somebody_elses;

        for (index, value, rest) in literals {
            let wanted = match (rest, preloading) {
                (Some(rest), Preloading::None) => rest,
                (Some(rest), Preloading::ByPlugin) => format!("{rest}:{}", names::DEVICE_PRELOAD),
                (Some(rest), Preloading::ByManifest) => format!("{rest}:{}", names::INJECTOR_PRELOAD),
                (None, _) if std::mem::take(&mut wants_entry) => names::INJECTOR_PRELOAD.to_owned(),
                (None, _) => {
                    self.removed.push(index);
                    continue;
                }
            };
            if wanted != value {
                let path = self.path.with_trailing_token(index).with_trailing_token("value");
                self.replaced.push((path, wanted.into()));
            }
        }
        if wants_entry {
            self.added.push(variable(names::LD_PRELOAD, names::INJECTOR_PRELOAD));
        }
    }

    fn variables(&mut self, env: &[Value], view: &Container, mut missing: Vec<Value>) {
        let own = view.own_variables();
        for (index, entry) in env.iter().enumerate() {
            let Some(name) = name_of(entry).filter(|name| is_among(name, own)) else {
                continue;
            };
            match missing.iter().position(|wanted| name_of(wanted) == Some(name)) {
                Some(position) => {
                    let wanted = missing.remove(position);
                    if wanted != *entry {
                        self.replaced.push((self.path.with_trailing_token(index), wanted));
                    }
                }
                None => self.removed.push(index),
            }
        }
        self.added.extend(missing);
    }
}

/// The libraries that stand in the container's `LD_PRELOAD` because of us.
pub(crate) fn own_libraries(view: &Container) -> Vec<&'static str> {
    let injector = view.injected.then_some(names::INJECTOR_PRELOAD);
    let device = (!view.devices.is_empty()).then_some(names::DEVICE_PRELOAD);
    injector.into_iter().chain(device).collect()
}

/// The value of a variable, if it is `LD_PRELOAD` and a literal. The API server omits an empty value.
pub(crate) fn literal_preload(entry: &Value) -> Option<&str> {
    let is_literal = name_of(entry) == Some(names::LD_PRELOAD) && entry.get("valueFrom").is_none_or(Value::is_null);
    is_literal.then(|| entry.get("value").and_then(Value::as_str).unwrap_or_default())
}

/// A list of libraries without ours; `None` if there was nothing else. Others may have added theirs after ours, so ours is
/// looked for everywhere.
pub(crate) fn without(value: &str, libraries: &[&str]) -> Option<String> {
    let kept: Vec<&str> = value.split(':').filter(|library| !libraries.contains(library)).collect();
    (!kept.is_empty()).then(|| kept.join(":"))
}
