//! Whether Epiphyte is being uninstalled: a ConfigMap of ours says so by being there.

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// The ConfigMap that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallingMark {
    /// Namespace and name of the ConfigMap.
    pub key: ObjectKey,
}

impl Fact for UninstallingMark {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        if &*self.key.name == UNINSTALLING_CONFIG_MAP { index.set_uninstalling(true) } else { Change::Nothing }
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        if &*key.name == UNINSTALLING_CONFIG_MAP { index.set_uninstalling(false) } else { Change::Nothing }
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        let name = UNINSTALLING_CONFIG_MAP.into();
        let key = ObjectKey { namespace: index.settings.system_namespace.as_str().into(), name };
        if index.uninstalling { vec![key] } else { Vec::new() }
    }
}

impl Index {
    fn set_uninstalling(&mut self, uninstalling: bool) -> Change {
        let was = std::mem::replace(&mut self.uninstalling, uninstalling);
        if was == uninstalling { Change::Nothing } else { Change::Everything }
    }
}
