//! Keeps *events* as the manager's file says: renders, lets the Collector check, swaps, and tells it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use epiphyte_daemon::{Backoff, chain, file};
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tracing::{info, warn};

use crate::collector::{Collector, Invalid, Wish, validate};
use crate::folder;
use crate::input::{self, Namespace};
use crate::render::{self, Events, Ground};
use crate::watched::Watched;

/// How often the manager's file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long after a change what it left over is removed: by then the Collector has let go of it.
const TIDY: Duration = Duration::from_secs(5);

/// How many namespaces that there is no room for are named.
const NAMED: usize = 20;

/// Keeps the configuration of *events*.
pub(crate) struct Steward {
    pub(crate) file: Watched,
    pub(crate) ground: Ground,
    pub(crate) collector: Collector,
    pub(crate) wishes: watch::Sender<Wish>,
}

/// Why a configuration did not come into force.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("cannot write it")]
    NotWritten(#[from] std::io::Error),
}

impl Steward {
    /// Goes on for as long as it is polled.
    pub(crate) async fn run(mut self) {
        let (mut due, mut force, mut number): (Option<Vec<Namespace>>, Option<Events>, u64) = (None, None, 0);
        let (mut backoff, mut not_before) = (Backoff::new(2_000, 60_000), Instant::now());
        let mut untidy: Option<Instant> = None;
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            if untidy.take_if(|since| since.elapsed() >= TIDY).is_some() {
                self.tidy(force.as_ref());
            }
            if let Some(namespaces) = self.file.changed(input::namespaces, Vec::len) {
                (due, not_before) = (Some(namespaces), Instant::now());
                backoff.reset();
            }
            let Some(namespaces) = due.as_ref().filter(|_| Instant::now() >= not_before) else { continue };
            let next = render::events(&self.ground, namespaces);
            if next == force {
                due = None;
                continue;
            }
            match self.enforce(next.as_ref()).await {
                Ok(()) => {
                    number += 1;
                    self.wishes.send_replace(if next.is_some() { Wish::Run(number) } else { Wish::Rest });
                    info!(namespaces = namespaces.len(), "the Events of these namespaces are collected");
                    (force, due, untidy) = (next, None, Some(Instant::now()));
                }
                Err(error) => {
                    self.collector.metrics.invalid.of(self.collector.name).inc();
                    let error = chain(&error);
                    warn!(collector = self.collector.name, %error, "the last good configuration stays in force");
                    not_before = Instant::now() + backoff.wait();
                }
            }
        }
    }

    /// Puts a configuration into its place, once the Collector has found it good.
    async fn enforce(&self, events: Option<&Events>) -> Result<(), Failure> {
        let Some(Events { configuration, tokens, left_out }) = events else { return Ok(()) };
        for namespace in left_out.iter().take(NAMED) {
            warn!(namespace, most = render::MAX_TOKENS, "its Events are not collected: there are too many tokens");
        }
        let folder = self.ground.places.tokens();
        folder::private(&folder)?;
        for (digest, token) in tokens {
            let file = folder.join(digest);
            // Named after what is in it: one that is there is the same.
            if !file.exists() {
                file::replace(&file, token.expose().as_bytes())?;
            }
        }
        let next = self.next();
        file::replace(&next, configuration)?;
        validate(&self.collector.program, &next, self.collector.memory).await?;
        std::fs::rename(next, &self.collector.configuration)?;
        Ok(())
    }

    fn next(&self) -> PathBuf {
        self.collector.configuration.with_extension("candidate.json")
    }

    /// Removes what the configuration in force does not name: tokens, and what waits for being sent under them, which nobody would
    /// send any more.
    fn tidy(&self, force: Option<&Events>) {
        let named: BTreeSet<&str> = force.iter().flat_map(|events| events.tokens.keys()).map(String::as_str).collect();
        let places = &self.ground.places;
        let tokens = folder::keep_only(&places.tokens(), |name| named.contains(name));
        let queues = folder::keep_only(&places.queue_of(self.collector.name), |name| {
            render::token_of_queue(name).is_none_or(|digest| named.contains(digest))
        });
        if let Err(error) = tokens.and(queues) {
            warn!(%error, "cannot remove what belongs to tokens that are used no more");
        }
    }
}
