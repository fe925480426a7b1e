//! Edits an object and records the same edits as a JSON patch.

use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Map, Value};

use crate::vacant::is_vacant;

/// An object under the knife. Every edit is made by applying the very operation that is recorded, so that patch and edited
/// object cannot differ; tests hold that against the json-patch crate.
pub(crate) struct Editor<'a> {
    object: &'a mut Value,
    operations: Vec<PatchOperation>,
}

impl<'a> Editor<'a> {
    pub(crate) fn new(object: &'a mut Value) -> Self {
        Self { object, operations: Vec::new() }
    }

    pub(crate) fn into_patch(self) -> Patch {
        Patch(self.operations)
    }

    pub(crate) fn object(&self) -> &Value {
        self.object
    }

    pub(crate) fn get(&self, path: &Pointer) -> Option<&Value> {
        path.resolve(&*self.object).ok()
    }

    /// The items of a list; none where there is no list.
    pub(crate) fn list(&self, path: &Pointer) -> &[Value] {
        self.get(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The members of a map; `None` where there is no map.
    pub(crate) fn map(&self, path: &Pointer) -> Option<&Map<String, Value>> {
        self.get(path).and_then(Value::as_object)
    }

    /// Puts a value where a member of a map or an item of a list is or, for a member, is to be. Where maps above it are
    /// vacant the highest of them is added whole, so that a manifest and its form on the API server get the same patch.
    pub(crate) fn set(&mut self, path: PointerBuf, value: Value) {
        if !is_vacant(self.get(&path)) {
            return self.apply(PatchOperation::Replace(ReplaceOperation { path, value }));
        }
        let (mut path, mut value) = (path, value);
        while let Some((parent, member)) = path.split_back() {
            if parent.is_root() || !is_vacant(self.get(parent)) {
                break;
            }
            value = Value::Object(Map::from_iter([(member.decoded().into_owned(), value)]));
            path = parent.to_buf();
        }
        self.apply(PatchOperation::Add(AddOperation { path, value }));
    }

    /// Adds items at the end of a list, making the list where there is none.
    pub(crate) fn append(&mut self, list: &Pointer, items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if is_vacant(self.get(list)) {
            return self.set(list.to_buf(), Value::Array(items));
        }
        for value in items {
            self.apply(PatchOperation::Add(AddOperation { path: list.with_trailing_token("-"), value }));
        }
    }

    /// Removes the items of a list at the given indices, in ascending order; the list itself once nothing is left. An index
    /// may have shifted by the time the patch is applied, so the name of the item is tested first.
    pub(crate) fn remove_items(&mut self, list: &Pointer, indices: &[usize]) {
        if indices.is_empty() {
            return;
        }
        if indices.len() == self.list(list).len() {
            return self.remove(list.to_buf());
        }
        for index in indices.iter().rev() {
            let path = list.with_trailing_token(*index);
            let name = path.with_trailing_token("name");
            if let Some(value) = self.get(&name).cloned() {
                self.apply(PatchOperation::Test(TestOperation { path: name, value }));
            }
            self.remove(path);
        }
    }

    /// Removes members of a map; the map itself once nothing is left.
    pub(crate) fn remove_members(&mut self, map: &Pointer, members: &[String]) {
        if members.is_empty() {
            return;
        }
        if self.map(map).is_some_and(|all| all.len() == members.len()) {
            return self.remove(map.to_buf());
        }
        for member in members {
            self.remove(map.with_trailing_token(member.as_str()));
        }
    }

    /// Makes a part of the object equal to another value, step by step.
    pub(crate) fn turn_into(&mut self, path: &Pointer, wanted: &Value) {
        let difference = self.get(path).map(|there| json_patch::diff(there, wanted)).unwrap_or_default();
        for operation in difference.0 {
            let path = path.concat(operation.path());
            match operation {
                PatchOperation::Add(add) => self.apply(PatchOperation::Add(AddOperation { path, ..add })),
                PatchOperation::Replace(replace) => {
                    self.apply(PatchOperation::Replace(ReplaceOperation { path, ..replace }));
                }
                PatchOperation::Remove(_) => self.remove(path),
                PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => {}
            }
        }
    }

    fn remove(&mut self, path: PointerBuf) {
        self.apply(PatchOperation::Remove(RemoveOperation { path }));
    }

    fn apply(&mut self, operation: PatchOperation) {
        let applied = apply(self.object, &operation);
        debug_assert!(applied.is_some(), "{operation} on {}", self.object);
        if applied.is_some() {
            self.operations.push(operation);
        }
    }
}

/// Applies one operation; `None` if it does not fit the object, which is then as it was. What json-patch offers for this
/// copies the object's old values to be able to undo, which costs more than all the rest of surgery.
fn apply(object: &mut Value, operation: &PatchOperation) -> Option<()> {
    let (parent, last) = operation.path().split_back()?;
    let last = last.decoded();
    let index = || last.parse::<usize>().ok();
    match (operation, parent.resolve_mut(object).ok()?) {
        (PatchOperation::Add(add), Value::Object(members)) => {
            members.insert(last.into_owned(), add.value.clone());
        }
        (PatchOperation::Add(add), Value::Array(items)) => {
            let index = if last == "-" { items.len() } else { index()? };
            (index <= items.len()).then(|| items.insert(index, add.value.clone()))?;
        }
        (PatchOperation::Replace(replace), Value::Object(members)) => {
            *members.get_mut(&*last)? = replace.value.clone();
        }
        (PatchOperation::Replace(replace), Value::Array(items)) => *items.get_mut(index()?)? = replace.value.clone(),
        (PatchOperation::Remove(_), Value::Object(members)) => {
            members.remove(&*last)?;
        }
        (PatchOperation::Remove(_), Value::Array(items)) => {
            let index = index().filter(|index| *index < items.len())?;
            items.remove(index);
        }
        (PatchOperation::Test(test), parent) => {
            let there = match parent {
                Value::Object(members) => members.get(&*last),
                Value::Array(items) => items.get(index()?),
                _ => None,
            };
            (there == Some(&test.value)).then_some(())?;
        }
        _ => return None,
    }
    Some(())
}

/// Path to something below another.
pub(crate) fn below<'t>(path: &Pointer, tokens: impl IntoIterator<Item = &'t str>) -> PointerBuf {
    tokens.into_iter().fold(path.to_buf(), |path, token| path.with_trailing_token(token))
}

/// The name of an item of a list.
pub(crate) fn name_of(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

/// The items of a list that have the given name, by their indices.
pub(crate) fn named(items: &[Value], name: &str) -> Vec<usize> {
    let indices = items.iter().enumerate().filter(|(_, item)| name_of(item) == Some(name));
    indices.map(|(index, _)| index).collect()
}

/// Whether everything wanted is there already. Maps may have more members than wanted: the API server fills in defaults.
pub(crate) fn contains(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            wanted.iter().all(|(member, wanted)| there.get(member).is_some_and(|there| contains(there, wanted)))
        }
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len() && there.iter().zip(wanted).all(|(there, wanted)| contains(there, wanted))
        }
        _ => there == wanted,
    }
}
