//! Numbered spans, so that none is lost unseen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use epiphyte_testbed::otlp::{Receiver, Signal};

use crate::client::{body, post};
use crate::{DEADLINE, authorization, until};

/// Sends a numbered span every few milliseconds under one token, each again until it is accepted, as agents do.
pub struct Traffic {
    digit: char,
    accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub fn start(address: &str, digit: char) -> Self {
        let (accepted, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (address, counted, told) = (address.to_owned(), Arc::clone(&accepted), Arc::clone(&stop));
        let send = move || {
            let authorization = authorization(digit);
            while !told.load(Ordering::Relaxed) {
                let body = body(Signal::Traces, &format!("{digit} {}", counted.load(Ordering::Relaxed)));
                let answer = post(&address, "/v1/traces", &[("Authorization", &authorization)], &body);
                if answer.is_some_and(|answer| answer.status == 200) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Self { digit, accepted, stop, thread: Some(std::thread::spawn(send)) }
    }

    /// How many spans were accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until so many more were accepted.
    pub fn until_more(&self, more: usize) {
        let wanted = self.accepted() + more;
        until("spans are accepted", || self.accepted() >= wanted);
    }

    /// Sends no more.
    pub fn stop(&mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the sender ends");
        }
        self.accepted()
    }

    /// Sends no more, and waits until every span that was accepted is upstream under its own token; gives how many.
    pub fn until_all_arrived(&mut self, upstream: &Receiver) -> usize {
        let sent = self.stop();
        self.until_arrived(upstream, sent);
        sent
    }

    /// Waits until so many spans are upstream.
    pub fn until_arrived(&self, upstream: &Receiver, sent: usize) {
        let authorization = authorization(self.digit);
        let missing = || {
            let came: BTreeSet<usize> = upstream
                .spans()
                .iter()
                .filter(|span| span.authorization == authorization)
                .filter_map(|span| span.name.strip_prefix(self.digit)?.trim_start().parse().ok())
                .collect();
            (0..sent).filter(|number| !came.contains(number)).collect::<Vec<_>>()
        };
        let start = std::time::Instant::now();
        while !missing().is_empty() {
            assert!(start.elapsed() < DEADLINE, "of {sent} spans these did not arrive: {:?}", missing());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
