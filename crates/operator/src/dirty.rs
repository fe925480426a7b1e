//! What has to be planned again. Watches and writers mark, planning takes.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::index::{Change, Index, LumigoRecord, WorkloadKey};

/// What has to be planned again. At the start everything is, so that the marks of long first lists cost nothing.
#[derive(Clone)]
pub(crate) struct Dirty(Arc<(Mutex<Marks>, Notify)>);

impl Default for Dirty {
    fn default() -> Self {
        Self(Arc::new((Mutex::new(Marks::everything()), Notify::new())))
    }
}

/// What was marked since planning last took.
#[derive(Default)]
pub(crate) struct Marks {
    everything: bool,
    namespaces: HashSet<Box<str>>,
    workloads: HashSet<WorkloadKey>,
}

impl Dirty {
    /// Marks what a change concerns.
    pub(crate) fn mark(&self, change: Change) {
        let (marks, notify) = &*self.0;
        let mut held = marks.lock();
        if held.everything {
            return;
        }
        match change {
            Change::Nothing => return,
            Change::Workload(key) => {
                held.workloads.insert(key);
            }
            Change::Namespace(namespace) => {
                held.namespaces.insert(namespace);
            }
            Change::Everything => *held = Marks::everything(),
        }
        drop(held);
        notify.notify_one();
    }

    /// What was marked since the last time.
    pub(crate) fn take(&self) -> Marks {
        std::mem::take(&mut self.0.0.lock())
    }

    /// Waits until something is marked.
    pub(crate) async fn marked(&self) {
        self.0.1.notified().await;
    }
}

impl Marks {
    fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// The Lumigoes that the marks concern: of each the whole namespace counts.
    pub(crate) fn lumigoes<'a>(&self, index: &'a Index) -> Vec<&'a LumigoRecord> {
        let of_workloads: HashSet<&str> = self.workloads.iter().map(|key| &*key.namespace).collect();
        let is_concerned = |namespace: &str| {
            self.everything || self.namespaces.contains(namespace) || of_workloads.contains(namespace)
        };
        index.lumigoes().filter(|lumigo| is_concerned(&lumigo.namespace)).collect()
    }

    /// The workloads that the marks concern.
    pub(crate) fn workloads(self, index: &Index) -> Vec<WorkloadKey> {
        if self.everything {
            return index.workloads().map(|(key, _)| key.clone()).collect();
        }
        let in_namespaces = self.namespaces.iter().flat_map(|namespace| index.workloads_of(namespace));
        let mut keys: HashSet<WorkloadKey> = in_namespaces.map(|(key, _)| key.clone()).collect();
        keys.extend(self.workloads);
        keys.into_iter().collect()
    }
}
