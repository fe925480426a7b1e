//! Keeps *events* as the manager's file says: renders, lets the Collector check, swaps, and tells it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use epiphyte_daemon::{Backoff, chain, file};
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tracing::{info, warn};

use crate::cluster::Uid;
use crate::collector::{Collector, Invalid, Wish};
use crate::folder;
use crate::input::{self, Namespace, Token};
use crate::render::{self, Events, Ground};
use crate::watched::Watched;

/// How often the manager's file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long after a change what it left over is removed: by then the Collector has let go of it.
const TIDY: Duration = Duration::from_secs(5);

/// A namespace to check by what a user adds, before there is any.
const STAND_IN: (&str, &str) = ("default", "t_000000000000000000000");

/// How many namespaces that there is no room for are named.
const NAMED: usize = 20;

/// Keeps the configuration of *events*.
pub(crate) struct Steward {
    pub(crate) file: Watched,
    pub(crate) ground: Ground,
    pub(crate) collector: Collector,
    pub(crate) wishes: watch::Sender<Wish>,
    pub(crate) cluster: watch::Receiver<Uid>,
}

/// Why a configuration did not come into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("cannot write it")]
    NotWritten(#[from] std::io::Error),
}

impl Steward {
    /// Whether the Collector takes what a user adds to this configuration.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        let (name, token) = STAND_IN;
        let stand_in = Token::parse(token).map(|token| Namespace { name: name.to_owned(), uid: None, token });
        let checked = match render::events(&self.ground, stand_in.as_slice()) {
            Some(events) => self.prepare(&events).await.map(drop),
            None => Ok(()),
        };
        // Queues stay: what is in them is of tokens that are yet to be read.
        folder::keep_only(&self.ground.places.tokens(), |_| false)?;
        checked
    }

    /// Goes on for as long as it is polled.
    pub(crate) async fn run(mut self) {
        // Without the first answer of the API server there would be a second configuration right after the first.
        let _ = self.cluster.wait_for(|uid| *uid != Uid::Awaited).await;
        let (mut wanted, mut is_due, mut force): (Vec<Namespace>, bool, Option<Events>) = (Vec::new(), false, None);
        let (mut backoff, mut not_before) = (Backoff::new(2_000, 60_000), Instant::now());
        // For what it misses the Collector is told less and less often: what it may not list it will go on to miss.
        let (mut again, mut not_again_before) = (Backoff::new(30_000, 600_000), Instant::now());
        let mut number = 0_u64;
        let mut untidy: Option<Instant> = None;
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            if untidy.take_if(|since| since.elapsed() >= TIDY).is_some() {
                self.tidy(force.as_ref());
            }
            if let Uid::Known(uid) = &*self.cluster.borrow() {
                is_due |= self.ground.cluster_uid.as_ref() != Some(uid);
                self.ground.cluster_uid = Some(uid.clone());
            }
            if let Some(namespaces) = self.file.changed(input::namespaces, Vec::len) {
                (wanted, is_due, not_before) = (namespaces, true, Instant::now());
                backoff.reset();
            }
            if is_due && Instant::now() >= not_before {
                let next = render::events(&self.ground, &wanted);
                if next == force {
                    is_due = false;
                    continue;
                }
                match self.enforce(next.as_ref()).await {
                    Ok(()) => {
                        number += 1;
                        self.wishes.send_replace(if next.is_some() { Wish::Run(number) } else { Wish::Rest });
                        info!(namespaces = wanted.len(), "the Events of these namespaces are collected");
                        (force, is_due, untidy) = (next, false, Some(Instant::now()));
                    }
                    Err(error) => {
                        self.collector.metrics.invalid.of(self.collector.name).inc();
                        let error = chain(&error);
                        warn!(collector = self.collector.name, %error, "the last good configuration stays in force");
                        not_before = Instant::now() + backoff.wait();
                    }
                }
            } else if force.is_some() && Instant::now() >= not_again_before {
                if *self.collector.misses.borrow() {
                    number += 1;
                    not_again_before = Instant::now() + again.wait();
                    info!("the Collector missed Events: it lists all of them anew");
                    self.wishes.send_replace(Wish::Run(number));
                } else {
                    again.reset();
                }
            }
        }
    }

    /// Puts a configuration into its place, once the Collector has found it good.
    async fn enforce(&self, events: Option<&Events>) -> Result<(), Failure> {
        let Some(events) = events else { return Ok(()) };
        let next = self.prepare(events).await?;
        std::fs::rename(next, &self.collector.configuration)?;
        Ok(())
    }

    /// Writes a configuration beside that in force, with all that it names, and gives its place if the Collector finds it good.
    async fn prepare(&self, Events { configuration, tokens, left_out }: &Events) -> Result<PathBuf, Failure> {
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
        let next = self.collector.configuration.with_extension("candidate.json");
        file::replace(&next, configuration)?;
        self.collector.check(&next).await?;
        Ok(next)
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
