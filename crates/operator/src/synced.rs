//! Readiness: every first list is in the index.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// The lists that are still awaited.
#[derive(Clone)]
pub(crate) struct Synced(Arc<watch::Sender<BTreeSet<&'static str>>>);

impl Synced {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    /// Makes readiness wait for a list until what is returned is dropped.
    pub(crate) fn expect(&self, list: &'static str) -> Awaited {
        self.0.send_modify(|awaited| {
            awaited.insert(list);
        });
        Awaited { synced: self.clone(), list }
    }

    /// The lists that are still awaited, by the plurals of their resources.
    pub(crate) fn awaited(&self) -> Vec<&'static str> {
        self.0.borrow().iter().copied().collect()
    }

    /// Whether every list is in.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Waits until every list is in.
    pub(crate) async fn ready(&self) {
        let mut awaited = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = awaited.wait_for(BTreeSet::is_empty).await;
    }
}

/// A list that readiness waits for.
pub(crate) struct Awaited {
    synced: Synced,
    list: &'static str,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.synced.0.send_modify(|awaited| {
            awaited.remove(self.list);
        });
    }
}
