//! Which replica writes: the holder of a Lease.

use epiphyte_api::names::{FIELD_MANAGER, LEASE};
use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::settings::LeaderElection;

/// The election, as far as this replica takes part in it.
pub(crate) struct Leadership {
    /// Whether this replica leads.
    pub(crate) leads: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, kube_lease_manager::LeaseManagerError>>,
}

impl Leadership {
    /// Takes part in the election under a name that no other replica has.
    pub(crate) async fn join(
        client: Client,
        namespace: &str,
        identity: &str,
        settings: &LeaderElection,
    ) -> Result<Self, kube_lease_manager::LeaseManagerError> {
        let duration = u64::try_from(settings.lease_duration.as_secs()).unwrap_or_default().max(3);
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_field_manager(format!("{FIELD_MANAGER}-{identity}"))
            .with_duration(duration)
            .with_grace(duration / 3)
            .build()
            .await?;
        let (leads, task) = manager.watch().await;
        Ok(Self { leads, task })
    }

    /// Waits for the end of the election's task, which is not to end while the operator runs.
    pub(crate) async fn ended(&mut self) {
        if let Err(error) = (&mut self.task).await.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.to_string())) {
            tracing::error!(error, "the election failed");
        }
    }

    /// Gives the Lease back, so that another replica need not wait for it to run out. Every other receiver must be gone.
    pub(crate) async fn leave(self) {
        drop(self.leads);
        if self.task.is_finished() {
            return;
        }
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "cannot give the lease back; it runs out by itself");
        }
    }
}
