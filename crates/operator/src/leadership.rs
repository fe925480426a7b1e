//! Which replica writes: the holder of a Lease.

use std::time::Duration;

use epiphyte_api::names::{FIELD_MANAGER, LEASE};
use epiphyte_daemon::{Ready, chain};
use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use crate::settings::LeaderElection;

/// How long to wait where the Lease cannot be had: the API server is away, the namespace or a right is missing.
const RETRY: Duration = Duration::from_secs(2);

/// The election, as far as this replica takes part in it.
pub(crate) struct Leadership {
    /// Whether this replica leads.
    pub(crate) leads: watch::Receiver<bool>,
    /// Ends with what went wrong, if anything did.
    task: JoinHandle<Result<(), String>>,
}

/// The Lease and who wants it.
struct Candidate {
    client: Client,
    namespace: String,
    /// A name that no other replica has.
    identity: String,
    /// How long the Lease is good, in seconds.
    duration: u64,
}

impl Leadership {
    /// Takes part in the election under a name that no other replica has, as soon as the Lease can be had; but not before
    /// all is known, since a leader that knows half would keep from writing those that know all.
    pub(crate) fn join(
        client: Client,
        namespace: &str,
        identity: &str,
        settings: &LeaderElection,
        synced: Ready,
    ) -> Self {
        let duration = u64::try_from(settings.lease_duration.as_secs()).unwrap_or_default().max(3);
        let (namespace, identity) = (namespace.to_owned(), identity.to_owned());
        let candidate = Candidate { client, namespace, identity, duration };
        let (sender, leads) = watch::channel(false);
        Self { leads, task: tokio::spawn(candidate.take_part(sender, synced)) }
    }

    /// Leads without an election, where no other replica can be.
    pub(crate) fn alone() -> Self {
        let (sender, leads) = watch::channel(true);
        let hold = async move {
            sender.closed().await;
            Ok(())
        };
        Self { leads, task: tokio::spawn(hold) }
    }

    /// Waits for the end of the election's task, which is not to end while the operator runs.
    pub(crate) async fn ended(&mut self) {
        if let Err(error) = (&mut self.task).await.map_err(|error| error.to_string()).flatten() {
            error!(error, "the election failed");
        }
    }

    /// Gives the Lease back, so that another replica need not wait for it to run out. Every other receiver must be gone.
    pub(crate) async fn leave(self) {
        drop(self.leads);
        if self.task.is_finished() {
            return;
        }
        if let Err(error) = self.task.await.map_err(|error| error.to_string()).flatten() {
            warn!(error, "cannot give the lease back; it runs out by itself");
        }
    }
}

impl Candidate {
    /// Takes part until nobody wants to know any more.
    async fn take_part(self, leads: watch::Sender<bool>, synced: Ready) -> Result<(), String> {
        let manager = async {
            synced.wait().await;
            self.manager().await
        };
        let manager = tokio::select! {
            () = leads.closed() => return Ok(()),
            manager = manager => manager,
        };
        let (mut held, task) = manager.watch().await;
        loop {
            tokio::select! {
                () = leads.closed() => break,
                changed = held.changed() => match changed {
                    Ok(()) => leads.send_replace(*held.borrow_and_update()),
                    Err(_) => break,
                },
            };
        }
        drop(held);
        task.await.map_err(|error| error.to_string())?.map(drop).map_err(|error| chain(&error))
    }

    /// Tries until the Lease can be had.
    async fn manager(&self) -> LeaseManager {
        let mut told = String::new();
        loop {
            let lease = LeaseManagerBuilder::new(self.client.clone(), LEASE)
                .with_namespace(&self.namespace)
                .with_identity(&self.identity)
                .with_field_manager(format!("{FIELD_MANAGER}-{}", self.identity))
                .with_duration(self.duration)
                .with_grace(self.duration / 3);
            match lease.build().await.map_err(|error| chain(&error)) {
                Ok(manager) => return manager,
                Err(error) if error != told => {
                    warn!(
                        lease = LEASE,
                        namespace = self.namespace,
                        error,
                        "cannot take part in the election; trying again"
                    );
                    told = error;
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
