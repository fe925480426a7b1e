//! From objects of files to an index: what the files leave open is assumed, and every assumption is noted.

use epiphyte_api::WorkloadKind;
use epiphyte_operator::index::Index;
use epiphyte_operator::settings::Settings;
use epiphyte_operator::{Learned, complete, learn};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::assume::{self, Assumption};
use super::documents::Place;
use super::objects::{Object, Unread};
use crate::show::Seen;

/// What is assumed where the files do not say.
pub(crate) struct Assumptions<'a> {
    /// The namespace of objects that name none.
    pub(crate) namespace: &'a str,
    /// Languages of containers without runtime details.
    pub(crate) languages: &'a [Assumption],
    /// Whether the collectors are ready, whatever the files say.
    pub(crate) collectors_ready: bool,
}

/// The objects, as planning wants them.
pub(crate) struct Pile {
    pub(crate) index: Index,
    /// The workloads, in the order of the files.
    pub(crate) workloads: Vec<(Place, Seen)>,
    /// Namespace and name of each Lumigo, and whether it has a status.
    lumigoes: Vec<(String, String, bool)>,
    /// What was assumed.
    pub(crate) notes: Vec<String>,
}

impl Pile {
    /// Puts every object into an index. Those that cannot be used are added to `unread`.
    pub(crate) fn of(
        objects: Vec<Object>,
        assumptions: &Assumptions<'_>,
        mut settings: Settings,
        system_namespace: &str,
        unread: &mut Vec<Unread>,
    ) -> Self {
        let mut notes = Vec::new();
        if settings.device.require_offer && !objects.iter().any(|object| is(object, "", "Node")) {
            settings.device.require_offer = false;
            notes.push("assumed that nodes offer the devices: there is no Node among the files".to_owned());
        }
        let index = Index::new(&settings, system_namespace);
        let mut pile = Self { index, workloads: Vec::new(), lumigoes: Vec::new(), notes };
        for object in objects {
            pile.add(object, assumptions, system_namespace, unread);
        }
        pile.note_lumigoes();
        pile.assume_languages(assumptions.languages);
        if assumptions.collectors_ready {
            pile.notes.push("assumed that the collectors are ready, as told".to_owned());
            let group = json!({
                "apiVersion": "odigos.io/v1alpha1",
                "kind": "CollectorsGroup",
                "metadata": { "namespace": system_namespace, "name": "assumed" },
                "spec": { "role": "CLUSTER_GATEWAY" },
                "status": { "ready": true },
            });
            pile.learn(&group);
        }
        // Files have no time: collectors that are not ready have not been for ages, whatever the grace period.
        complete(&mut pile.index, Timestamp::UNIX_EPOCH);
        pile.index.pass_time(Timestamp::now());
        pile
    }

    fn add(&mut self, object: Object, assumptions: &Assumptions<'_>, system_namespace: &str, unread: &mut Vec<Unread>) {
        let is_group = is(&object, "odigos.io", "CollectorsGroup");
        let is_lumigo = is(&object, "operator.lumigo.io", "Lumigo");
        let is_of_cluster = is(&object, "", "Namespace") || is(&object, "", "Node");
        let Object { place, mut value } = object;
        if !is_of_cluster {
            place_in(&mut value, assumptions.namespace);
        }
        let namespace = text(&value, "/metadata/namespace");
        if is_group && (assumptions.collectors_ready || namespace != system_namespace) {
            return;
        }
        if is_lumigo {
            let has_status = value.pointer("/status/conditions").is_some();
            self.lumigoes.push((namespace.to_owned(), text(&value, "/metadata/name").to_owned(), has_status));
            if !has_status {
                activate(&mut value);
            }
        }
        match learn(&mut self.index, &value, Timestamp::UNIX_EPOCH) {
            Ok(Learned::Workload(key) | Learned::Controlled(key)) => match Seen::read(key.kind, value) {
                Ok(seen) => self.workloads.push((place, seen)),
                Err(error) => unread.push(Unread::at(&place, error)),
            },
            Ok(Learned::Fact) => {}
            Ok(Learned::Nothing) => self.notes.extend(outdated(&place, &value)),
            Err(error) => unread.push(Unread::at(&place, format!("{}: {error}", text(&value, "/kind")))),
        }
    }

    /// Notes of each Lumigo whether it counts, and what is assumed of it. Only one counts in a namespace.
    fn note_lumigoes(&mut self) {
        for (namespace, name, has_status) in &self.lumigoes {
            let Some(counting) = &self.index.namespace(namespace).lumigo else { continue };
            if **name != *counting.name {
                self.notes.push(format!(
                    "the Lumigo {namespace}/{name} counts for nothing: of two in a namespace the older counts, of two of the \
                     same age the first by name, which is {}",
                    counting.name
                ));
            } else if !has_status {
                self.notes.push(format!("assumed that the Lumigo {namespace}/{name} is active: it has no status"));
            }
        }
    }

    fn assume_languages(&mut self, assumptions: &[Assumption]) {
        let mut used = vec![false; assumptions.len()];
        for (_, seen) in &self.workloads {
            if let Some(details) = assume::details(assumptions, &seen.workload, &self.index, &mut used) {
                let learned = learn(&mut self.index, &details, Timestamp::UNIX_EPOCH);
                debug_assert!(learned.is_ok(), "{details}");
            }
        }
        let unused = assumptions.iter().zip(used).filter(|(_, used)| !used);
        self.notes
            .extend(unused.map(|(assumption, _)| format!("--assume {assumption} names no container and no workload")));
    }

    fn learn(&mut self, object: &Value) {
        let learned = learn(&mut self.index, object, Timestamp::UNIX_EPOCH);
        debug_assert!(learned.is_ok(), "{object}");
    }
}

fn is(object: &Object, group: &str, kind: &str) -> bool {
    let (found, _) = text(&object.value, "/apiVersion").rsplit_once('/').unwrap_or_default();
    found == group && text(&object.value, "/kind") == kind
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Gives a namespace to an object that names none.
fn place_in(object: &mut Value, namespace: &str) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let given = metadata.entry("namespace").or_insert(Value::Null);
        if given.as_str().is_none_or(str::is_empty) {
            *given = namespace.into();
        }
    }
}

fn activate(lumigo: &mut Value) {
    let active = json!({
        "type": "Active",
        "status": "True",
        "reason": "Assumed",
        "message": "",
        "lastTransitionTime": Timestamp::UNIX_EPOCH.to_string(),
    });
    if let Some(members) = lumigo.as_object_mut() {
        members.insert("status".to_owned(), json!({ "conditions": [active] }));
    }
}

/// A workload of a group that was served long ago, such as `extensions`, is nothing that Epiphyte knows.
fn outdated(place: &Place, object: &Value) -> Option<String> {
    let kind: WorkloadKind = text(object, "/kind").parse().ok()?;
    let (file, document) = (&place.file, place.document);
    let found = text(object, "/apiVersion");
    Some(format!("{file}:{document} is passed over: a {kind} is of {}, not of {found}", kind.api_version()))
}
