//! Lumigoes in the index.

use epiphyte_plan::LumigoFact;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// A Lumigo and its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LumigoRecord {
    /// Namespace of the Lumigo.
    pub namespace: Box<str>,
    /// What planning knows of it.
    pub fact: LumigoFact,
}

impl Fact for LumigoRecord {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        let namespace = self.namespace.clone();
        let key = ObjectKey { namespace: namespace.clone(), name: self.fact.name.clone() };
        index.lumigoes.insert(key, self);
        index.reckon_lumigo(&namespace)
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        index.lumigoes.remove(key);
        index.reckon_lumigo(&key.namespace)
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.lumigoes.keys().cloned().collect()
    }
}

impl Index {
    /// Works out anew which Lumigo of a namespace counts: the oldest, of the same age the first by name.
    fn reckon_lumigo(&mut self, namespace: &str) -> Change {
        let in_namespace = self.lumigoes.values().filter(|record| &*record.namespace == namespace);
        let oldest = in_namespace.min_by(|a, b| (a.fact.created, &a.fact.name).cmp(&(b.fact.created, &b.fact.name)));
        let lumigo = oldest.map(|record| record.fact.clone());
        self.change_namespace(namespace, |fact| fact.lumigo = lumigo)
    }
}
