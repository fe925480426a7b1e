//! Readiness: all that a program has to have before it counts.

use std::collections::BTreeSet;

use tokio::sync::watch;

/// What is still awaited. A program is ready once that is nothing.
#[derive(Clone, Debug, Default)]
pub struct Ready(watch::Sender<BTreeSet<&'static str>>);

impl Ready {
    /// Makes readiness wait until what is returned is dropped. No two that are awaited at a time have the same name.
    pub fn expect(&self, what: &'static str) -> Awaited {
        self.0.send_modify(|awaited| {
            awaited.insert(what);
        });
        Awaited { ready: self.clone(), what }
    }

    /// What is still awaited, by the names under which it is expected.
    pub fn awaited(&self) -> Vec<&'static str> {
        self.0.borrow().iter().copied().collect()
    }

    /// Whether nothing is awaited any more.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Waits until nothing is awaited any more.
    pub async fn wait(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}

/// What readiness waits for.
#[derive(Debug)]
pub struct Awaited {
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

#[cfg(test)]
mod tests {
    use super::Ready;

    #[tokio::test]
    async fn readiness_waits_for_all_that_is_awaited() {
        let ready = Ready::default();
        assert!(ready.is_ready());
        let (pods, nodes) = (ready.expect("pods"), ready.expect("nodes"));
        assert_eq!(ready.awaited(), ["nodes", "pods"]);
        drop(nodes);
        assert_eq!((ready.is_ready(), ready.awaited()), (false, vec!["pods"]));
        let last = tokio::spawn(async move { drop(pods) });
        ready.wait().await;
        assert!(ready.is_ready());
        last.await.unwrap();
    }
}
