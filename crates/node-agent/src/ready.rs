//! Readiness: all that the agent has to have before another may go in its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// What is still awaited.
#[derive(Clone, Debug)]
pub(crate) struct Ready(Arc<watch::Sender<BTreeSet<&'static str>>>);

impl Ready {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    /// Makes readiness wait until what is returned is dropped.
    pub(crate) fn expect(&self, what: &'static str) -> Awaited {
        self.0.send_modify(|awaited| {
            awaited.insert(what);
        });
        Awaited { ready: self.clone(), what }
    }

    /// What is still awaited.
    pub(crate) fn awaited(&self) -> Vec<&'static str> {
        self.0.borrow().iter().copied().collect()
    }
}

/// What readiness waits for.
#[derive(Debug)]
pub(crate) struct Awaited {
    ready: Ready,
    what: &'static str,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.ready.0.send_modify(|awaited| {
            awaited.remove(self.what);
        });
    }
}
