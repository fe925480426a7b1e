//! Whether Epiphyte is being uninstalled: a ConfigMap of ours says so by being there.

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use jiff::Timestamp;

use super::{Change, Fact, Index, ObjectKey};

/// The ConfigMap that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallingMark {
    /// Namespace and name of the ConfigMap.
    pub key: ObjectKey,
    /// Whether all is off and only the installation itself is left to remove.
    pub over: bool,
}

/// Whether Epiphyte is being uninstalled, as far as the ConfigMap says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Uninstalling {
    /// There is no such ConfigMap.
    #[default]
    No,
    /// Everything is to be taken off.
    Underway,
    /// All is off.
    Over,
}

impl Fact for UninstallingMark {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        if &*self.key.name != UNINSTALLING_CONFIG_MAP {
            return Change::Nothing;
        }
        index.set_uninstalling(if self.over { Uninstalling::Over } else { Uninstalling::Underway })
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        if &*key.name == UNINSTALLING_CONFIG_MAP { index.set_uninstalling(Uninstalling::No) } else { Change::Nothing }
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        let name = UNINSTALLING_CONFIG_MAP.into();
        let key = ObjectKey { namespace: index.settings.system_namespace.as_str().into(), name };
        if index.uninstalling == Uninstalling::No { Vec::new() } else { vec![key] }
    }

    fn listed(index: &mut Index, _now: Timestamp) -> Change {
        index.knows_uninstalling = true;
        Change::Nothing
    }
}

impl Index {
    fn set_uninstalling(&mut self, uninstalling: Uninstalling) -> Change {
        // What was over before this process began is an installation before ours, which the garbage collector still has
        // to do with. Once its mark is gone, there is work to do.
        let uninstalling = match uninstalling {
            Uninstalling::Over if !self.knows_uninstalling => Uninstalling::Underway,
            other => other,
        };
        let was = std::mem::replace(&mut self.uninstalling, uninstalling);
        if was == uninstalling { Change::Nothing } else { Change::Everything }
    }

    /// Makes this the index of the uninstaller, for which Epiphyte is being uninstalled whatever the cluster says.
    pub fn uninstall(&mut self) {
        self.uninstalls = true;
    }

    /// Whether Epiphyte is being uninstalled.
    pub fn is_uninstalling(&self) -> bool {
        self.uninstalls || self.uninstalling != Uninstalling::No
    }

    /// Whether it is uninstalled but for what the installation itself consists of.
    pub fn is_uninstalled(&self) -> bool {
        self.uninstalling == Uninstalling::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn mark(over: bool) -> UninstallingMark {
        UninstallingMark { key: ObjectKey { namespace: "system".into(), name: UNINSTALLING_CONFIG_MAP.into() }, over }
    }

    fn apply(index: &mut Index, over: bool) {
        mark(over).apply(index, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn what_is_over_while_we_run_is_over_for_us() {
        let mut index = Index::new(&Settings::default(), "system");
        UninstallingMark::listed(&mut index, Timestamp::UNIX_EPOCH);
        assert!(!index.is_uninstalling());
        apply(&mut index, false);
        assert!(index.is_uninstalling() && !index.is_uninstalled());
        apply(&mut index, true);
        assert!(index.is_uninstalling() && index.is_uninstalled());
    }

    #[test]
    fn the_mark_of_an_installation_before_ours_is_waited_out() {
        let mut index = Index::new(&Settings::default(), "system");
        apply(&mut index, true);
        UninstallingMark::listed(&mut index, Timestamp::UNIX_EPOCH);
        assert!(index.is_uninstalling() && !index.is_uninstalled());
        UninstallingMark::delete(&mark(true).key, &mut index, Timestamp::UNIX_EPOCH);
        assert!(!index.is_uninstalling());
    }

    #[test]
    fn the_uninstaller_needs_no_mark() {
        let mut index = Index::new(&Settings::default(), "system");
        index.uninstall();
        assert!(index.is_uninstalling() && !index.is_uninstalled());
    }
}
