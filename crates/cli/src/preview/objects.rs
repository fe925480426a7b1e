//! From documents to objects: lists are taken apart, and what is no object is told.

use serde::Serialize;
use serde_json::{Map, Value};

use super::documents::{Broken, Document, Place, documents};
use super::files::File;

/// An object of a file.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A document, or a file, that could not be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unread {
    /// The file; `stdin` for standard input.
    file: String,
    /// Number of the document in the file, from 1; `null` where the file itself cannot be read.
    document: Option<usize>,
    /// Line of the file, from 1; `null` where the file itself cannot be read.
    line: Option<usize>,
    /// What is wrong.
    message: String,
}

impl Unread {
    /// An object that stands somewhere and cannot be used.
    pub(crate) fn at(place: &Place, message: impl ToString) -> Self {
        let message = match place.item {
            Some(item) => format!("item {item}: {}", message.to_string()),
            None => message.to_string(),
        };
        Self { file: place.file.clone(), document: Some(place.document), line: Some(place.line), message }
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(document), Some(line)) = (self.document, self.line) {
            write!(f, ": document {document}, line {line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Takes a file apart.
pub(crate) fn objects(file: File, objects: &mut Vec<Object>, unread: &mut Vec<Unread>) {
    let content = match file.content {
        Ok(content) => content,
        Err(error) => {
            return unread.push(Unread { file: file.name, document: None, line: None, message: format!("{error:#}") });
        }
    };
    for Document { place, content } in documents(&file.name, &content) {
        match content {
            Ok(value) => take_apart(place, value, objects, unread),
            Err(Broken { line, message }) => unread.push(Unread::at(&Place { line, ..place }, message)),
        }
    }
}

fn take_apart(place: Place, value: Value, objects: &mut Vec<Object>, unread: &mut Vec<Unread>) {
    let Value::Object(mut members) = value else {
        return unread.push(Unread::at(&place, "not a Kubernetes object, but a bare value or list"));
    };
    let [api_version, kind] = ["apiVersion", "kind"].map(|key| text(&members, key));
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        return unread.push(Unread::at(&place, "not a Kubernetes object: it has no `apiVersion` or no `kind`"));
    };
    let items = match (kind.strip_suffix("List"), members.get_mut("items")) {
        (Some(item_kind), Some(Value::Array(items))) => std::mem::take(items).into_iter().map(|mut item| {
            // Items of a typed list do not repeat what the list says.
            if let (Value::Object(item), false) = (&mut item, item_kind.is_empty()) {
                item.entry("apiVersion").or_insert_with(|| api_version.as_str().into());
                item.entry("kind").or_insert_with(|| item_kind.into());
            }
            item
        }),
        _ => return objects.push(Object { place, value: Value::Object(members) }),
    };
    for (item, number) in items.zip(1..) {
        take_apart(Place { item: Some(number), ..place.clone() }, item, objects, unread);
    }
}

fn text(members: &Map<String, Value>, key: &str) -> Option<String> {
    members.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Object>, Vec<String>) {
        let (mut found, mut unread) = (Vec::new(), Vec::new());
        objects(File { name: "f.yaml".to_owned(), content: Ok(text.into()) }, &mut found, &mut unread);
        (found, unread.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn items_of_a_typed_list_get_what_the_list_says() {
        let (found, unread) = read("apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}, 7]\n");
        assert_eq!(found[0].value["kind"], "Deployment");
        assert_eq!(found[0].value["apiVersion"], "apps/v1");
        assert_eq!(unread, ["f.yaml: document 1, line 1: item 2: not a Kubernetes object, but a bare value or list"]);
    }

    #[test]
    fn items_of_a_mixed_list_speak_for_themselves() {
        let (found, unread) = read("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Node}, {kind: Node}]\n");
        assert_eq!(found.len(), 1);
        assert_eq!(unread.len(), 1);
    }

    #[test]
    fn a_document_without_a_kind_is_told_with_its_line() {
        let (found, unread) = read("---\n---\n# nothing\n\nname: x\n");
        assert!(found.is_empty());
        assert!(unread[0].starts_with("f.yaml: document 2, line 5: "), "{unread:?}");
    }
}
