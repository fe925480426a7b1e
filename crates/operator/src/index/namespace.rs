//! Namespaces in the index.

use epiphyte_plan::{Annotation, NamespaceFact};
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// What a Namespace says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRecord {
    /// Name of the namespace.
    pub name: Box<str>,
    /// UID of the namespace.
    pub uid: Box<str>,
    /// Its annotation `odigos.io/instrument`.
    pub annotation: Option<Annotation>,
}

impl Fact for NamespaceRecord {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        index.namespace_uids.insert(self.name.clone(), self.uid);
        index.change_namespace(&self.name, |namespace| namespace.annotation = self.annotation.clone())
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        index.namespace_uids.remove(&key.name);
        index.change_namespace(&key.name, |namespace| namespace.annotation = None)
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.namespace_uids.keys().map(|name| ObjectKey { namespace: "".into(), name: name.clone() }).collect()
    }
}

impl Index {
    /// UID of a namespace; `None` if there is no such namespace.
    pub fn namespace_uid(&self, name: &str) -> Option<&str> {
        self.namespace_uids.get(name).map(|uid| &**uid)
    }

    /// Changes what is known of a namespace, and forgets it once nothing is.
    pub(super) fn change_namespace(&mut self, name: &str, change: impl FnOnce(&mut NamespaceFact)) -> Change {
        let held = self.namespaces.remove(name).unwrap_or_default();
        let mut changed = held.clone();
        change(&mut changed);
        let is_same = held == changed;
        if changed != NamespaceFact::default() {
            self.namespaces.insert(name.into(), changed);
        }
        if is_same { Change::Nothing } else { Change::Namespace(name.into()) }
    }
}
