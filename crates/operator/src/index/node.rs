//! Nodes in the index.

use epiphyte_plan::Node;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// A node, as planning knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFact(pub Node);

impl Fact for NodeFact {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        let Self(node) = self;
        match index.nodes.binary_search_by(|held| held.name.cmp(&node.name)) {
            Ok(position) => match index.nodes.get_mut(position) {
                Some(held) if *held != node => *held = node,
                _ => return Change::Nothing,
            },
            Err(position) => index.nodes.insert(position, node),
        }
        Change::Everything
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        let before = index.nodes.len();
        index.nodes.retain(|node| node.name != key.name);
        if index.nodes.len() == before { Change::Nothing } else { Change::Everything }
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.nodes.iter().map(|node| ObjectKey { namespace: "".into(), name: node.name.clone() }).collect()
    }
}

impl Index {
    /// All nodes, sorted by name.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}
