//! Compares two templates by what is not ours in them, without copying them: they can be large, and admission waits.

use std::borrow::Cow;

use epiphyte_api::names;
use epiphyte_plan::{Container, Part, Pod};
use serde_json::Value;

use crate::editor::name_of;
use crate::environment::{literal_preload, own_libraries, without};
use crate::graft::{is_among, version_label};
use crate::vacant::is_vacant;

/// A template and what planning reads of it.
#[derive(Clone, Copy)]
pub(crate) struct Template<'a> {
    pub(crate) value: Option<&'a Value>,
    pub(crate) view: &'a Pod,
}

/// Whether two templates are equal once everything of ours is taken off both, vacant values aside where we edit.
pub(crate) fn is_same(one: Template<'_>, other: Template<'_>) -> bool {
    let [one_spec, other_spec] = [one, other].map(|template| member(template.value, "spec"));
    let lists = [
        ("volumes", one.view.volume, other.view.volume),
        ("initContainers", one.view.init_container, other.view.init_container),
    ];
    equal_but_for(one.value, other.value, &["metadata", "spec"])
        && is_same_metadata(member(one.value, "metadata"), member(other.value, "metadata"))
        && equal_but_for(one_spec, other_spec, &["containers", "initContainers", "volumes"])
        && lists.into_iter().all(|(list, one_part, other_part)| {
            foreign(one_spec, list, one_part == Part::Ours).eq(foreign(other_spec, list, other_part == Part::Ours))
        })
        && is_same_list_of_containers((one_spec, one.view), (other_spec, other.view))
}

fn is_same_metadata(one: Option<&Value>, other: Option<&Value>) -> bool {
    let labels = |metadata| {
        let is_theirs = |name: &str, value| name != names::AUTO_TRACE_LABEL || version_label(Some(value)).is_none();
        live(member(metadata, "labels")).filter(move |(name, value)| is_theirs(name, value))
    };
    let rest = |metadata| live(metadata).filter(|(name, _)| *name != "labels");
    labels(one).eq(labels(other)) && rest(one).eq(rest(other))
}

fn is_same_list_of_containers(one: (Option<&Value>, &Pod), other: (Option<&Value>, &Pod)) -> bool {
    one.1.containers.len() == other.1.containers.len()
        && containers(one).zip(containers(other)).all(|(one, other)| is_same_container(one, other))
}

fn containers<'a>((spec, view): (Option<&'a Value>, &'a Pod)) -> impl Iterator<Item = (&'a Value, &'a Container)> {
    items(spec, "containers").zip(&view.containers)
}

fn is_same_container((one, one_view): (&Value, &Container), (other, other_view): (&Value, &Container)) -> bool {
    let (one, other) = (Some(one), Some(other));
    equal_but_for(one, other, &["env", "resources", "volumeMounts"])
        && is_same_resources(member(one, "resources"), member(other, "resources"))
        && foreign(one, "volumeMounts", one_view.injected).eq(foreign(other, "volumeMounts", other_view.injected))
        && variables(one, one_view).eq(variables(other, other_view))
}

fn is_same_resources(one: Option<&Value>, other: Option<&Value>) -> bool {
    let quantities =
        |resources, map| live(member(resources, map)).filter(|(name, _)| !name.starts_with(names::DEVICE_PREFIX));
    let rest = |resources| live(resources).filter(|(name, _)| *name != "limits" && *name != "requests");
    ["limits", "requests"].into_iter().all(|map| quantities(one, map).eq(quantities(other, map)))
        && rest(one).eq(rest(other))
}

/// A variable that is not ours.
struct Variable<'a> {
    entry: &'a Value,
    /// Its value without our library; the API server omits an empty one.
    value: Cow<'a, str>,
}

impl PartialEq for Variable<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && equal_but_for(Some(self.entry), Some(other.entry), &["value"])
    }
}

fn variables<'a>(container: Option<&'a Value>, view: &'a Container) -> impl Iterator<Item = Variable<'a>> {
    let (libraries, own) = (own_libraries(view), view.own_variables());
    items(container, "env").filter_map(move |entry| {
        if name_of(entry).is_some_and(|name| is_among(name, own)) {
            return None;
        }
        let value = match literal_preload(entry) {
            Some(value) => without(value, &libraries)?.into(),
            None => entry.get("value").and_then(Value::as_str).unwrap_or_default().into(),
        };
        Some(Variable { entry, value })
    })
}

/// The items of a list without those under our name, if these are ours.
fn foreign<'a>(parent: Option<&'a Value>, list: &str, ours: bool) -> impl Iterator<Item = &'a Value> {
    items(parent, list).filter(move |item| !ours || name_of(item) != Some(names::INJECTOR_NAME))
}

/// Whether two maps are equal apart from some members.
fn equal_but_for(one: Option<&Value>, other: Option<&Value>, excepted: &[&str]) -> bool {
    let rest = |map| members(map).filter(|(name, _)| !excepted.contains(&name.as_str()));
    rest(one).eq(rest(other))
}

/// The members of a map that hold something.
fn live(map: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    members(map).filter(|(_, value)| !is_vacant(Some(value)))
}

fn members(map: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    map.and_then(Value::as_object).into_iter().flatten()
}

fn member<'a>(map: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    map.and_then(|map| map.get(name))
}

fn items<'a>(parent: Option<&'a Value>, list: &str) -> impl Iterator<Item = &'a Value> {
    member(parent, list).and_then(Value::as_array).into_iter().flatten()
}
