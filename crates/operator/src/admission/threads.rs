//! The threads that serve the webhook's connections, each with a runtime of its own.
//!
//! A connection stays on its thread, which costs a third less than having its parts wander, and planning, which goes on
//! elsewhere, does not hold it up.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::server::Edge;

/// Enough for what API servers can ask, on any machine.
const MOST: usize = 4;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that has one of the server's slots.
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) slot: OwnedSemaphorePermit,
}

/// The running threads.
pub(super) struct Threads {
    inboxes: Vec<UnboundedSender<Accepted>>,
    handed_over: usize,
    running: JoinSet<()>,
}

impl Threads {
    /// Starts one for each processor that the program may use.
    ///
    /// # Errors
    /// A runtime cannot be made.
    pub(super) fn start(edge: &Arc<Edge>) -> io::Result<Self> {
        let mut threads = Self { inboxes: Vec::new(), handed_over: 0, running: JoinSet::new() };
        for _ in 0..available_parallelism().map_or(1, NonZero::get).min(MOST) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (sender, inbox) = unbounded_channel();
            let edge = Arc::clone(edge);
            threads.inboxes.push(sender);
            threads.running.spawn_blocking(move || work(&runtime, &edge, inbox));
        }
        Ok(threads)
    }

    /// Gives a connection to the threads in turn.
    pub(super) fn hand_over(&mut self, accepted: Accepted) {
        let turn = self.handed_over.checked_rem(self.inboxes.len()).unwrap_or_default();
        self.handed_over = self.handed_over.wrapping_add(1);
        // A thread that is gone has panicked, which ends the program.
        if let Some(inbox) = self.inboxes.get(turn) {
            let _ = inbox.send(accepted);
        }
    }

    /// Waits until what is in flight is answered, or has taken too long.
    pub(super) async fn finish(mut self) {
        self.inboxes.clear();
        while self.running.join_next().await.is_some() {}
    }
}

/// Serves the connections that come in until no more can; then finishes what is in flight.
fn work(runtime: &Runtime, edge: &Arc<Edge>, mut inbox: UnboundedReceiver<Accepted>) {
    runtime.block_on(async {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        while let Some(Accepted { stream, slot }) = inbox.recv().await {
            let stream = match TcpStream::from_std(stream) {
                Ok(stream) => stream,
                Err(error) => {
                    warn!(%error, "cannot serve a connection to the webhook");
                    continue;
                }
            };
            let (edge, watcher) = (Arc::clone(edge), graceful.watcher());
            connections.spawn(async move {
                edge.converse(stream, watcher).await;
                drop(slot);
            });
            while connections.try_join_next().is_some() {}
        }
        if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            warn!(open = connections.len(), "connections to the webhook are cut off");
        }
    });
}
