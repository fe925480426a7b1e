//! A queue of keys: each is there once, and handled by one worker at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long to wait before a failed key is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The wait after the first failure; it doubles with each further one in a row.
    pub(crate) first: Duration,
    /// The longest wait.
    pub(crate) longest: Duration,
}

/// A queue of keys. Bounded by the number of keys there are.
pub(crate) struct Queue<K>(Arc<Shared<K>>);

struct Shared<K> {
    state: Mutex<State<K>>,
    /// Wakes a worker: a key waits.
    filled: Notify,
    /// Wakes whoever waits for the end of all work.
    idle: Notify,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct State<K> {
    /// Keys that wait for a worker, in order.
    waiting: VecDeque<K>,
    /// The same keys, to be found fast.
    queued: HashSet<K>,
    /// Keys that a worker has; true if they came in again meanwhile.
    running: HashMap<K, bool>,
    /// How often in a row a key has failed; a success forgets it.
    failures: HashMap<K, u32>,
}

impl<K: Clone + Eq + Hash + Send + 'static> Queue<K> {
    pub(crate) fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            queued: HashSet::new(),
            running: HashMap::new(),
            failures: HashMap::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), filled: Notify::new(), idle: Notify::new() }))
    }

    /// Puts a key in. One that waits already stays where it is; one that is being handled comes again afterwards.
    pub(crate) fn push(&self, key: K) {
        let mut state = self.0.state.lock();
        if let Some(again) = state.running.get_mut(&key) {
            *again = true;
        } else if state.queued.insert(key.clone()) {
            state.waiting.push_back(key);
            self.0.filled.notify_one();
        }
    }

    /// The next key, for one worker alone until it is done or tried again.
    pub(crate) async fn next(&self) -> K {
        loop {
            {
                let mut state = self.0.state.lock();
                if let Some(key) = state.waiting.pop_front() {
                    state.queued.remove(&key);
                    state.running.insert(key.clone(), false);
                    if !state.waiting.is_empty() {
                        self.0.filled.notify_one();
                    }
                    return key;
                }
            }
            self.0.filled.notified().await;
        }
    }

    /// The key is handled.
    pub(crate) fn done(&self, key: &K) {
        let again = {
            let mut state = self.0.state.lock();
            state.failures.remove(key);
            state.running.remove(key)
        };
        if again == Some(true) {
            self.push(key.clone());
        }
        self.tell_idle();
    }

    /// The key failed: it comes again after a wait.
    pub(crate) fn retry(&self, key: &K, backoff: Backoff) {
        let failures = {
            let mut state = self.0.state.lock();
            state.running.remove(key);
            let failures = state.failures.entry(key.clone()).or_insert(0);
            *failures = failures.saturating_add(1);
            *failures
        };
        self.tell_idle();
        let wait = backoff.first.saturating_mul(1 << (failures - 1).min(16)).min(backoff.longest);
        let (queue, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            queue.push(key);
        });
    }

    /// Whether a worker has the key.
    pub(crate) fn is_in_hand(&self, key: &K) -> bool {
        self.0.state.lock().running.contains_key(key)
    }

    /// Keys that wait or are being handled.
    pub(crate) fn len(&self) -> usize {
        let state = self.0.state.lock();
        state.waiting.len() + state.running.len()
    }

    /// Waits until no key waits or is being handled, but no longer than this. Work that can wait gives way so to work that
    /// cannot, and yet gets on where that never ends.
    pub(crate) async fn give_way(&self, longest: Duration) {
        let idle = async {
            loop {
                let told = self.0.idle.notified();
                if self.len() == 0 {
                    return;
                }
                told.await;
            }
        };
        // Either way it is time.
        let _ = tokio::time::timeout(longest, idle).await;
    }

    fn tell_idle(&self) {
        if self.len() == 0 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_queued_once() {
        let queue = Queue::new();
        queue.push(1);
        queue.push(1);
        assert_eq!(queue.next().await, 1);
        assert_eq!(queue.len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_comes_in_while_it_is_handled_comes_again() {
        let queue = Queue::new();
        queue.push(1);
        let key = queue.next().await;
        queue.push(1);
        queue.done(&key);
        assert_eq!(queue.next().await, 1);
        queue.done(&1);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn others_give_way_until_all_is_done_or_they_have_waited_long_enough() {
        let (queue, long) = (Queue::new(), Duration::from_secs(5));
        let start = tokio::time::Instant::now();
        queue.give_way(long).await;
        assert_eq!(start.elapsed(), Duration::ZERO);

        queue.push(1);
        let key = queue.next().await;
        let worker = queue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            worker.done(&key);
        });
        queue.give_way(long).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));

        queue.push(2);
        queue.give_way(long).await;
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_key_waits_longer_each_time_up_to_a_limit() {
        let queue = Queue::new();
        queue.push(1);
        let start = tokio::time::Instant::now();
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_millis(400) };
        for waited in [0, 100, 300, 700, 1100] {
            assert_eq!(queue.next().await, 1);
            assert_eq!(start.elapsed().as_millis() / 10, waited / 10);
            queue.retry(&1, backoff);
        }
    }
}
