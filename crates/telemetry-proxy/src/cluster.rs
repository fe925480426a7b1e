//! The cluster's uid, which is that of its namespace `kube-system`: asked for until the API server tells it.

use std::time::Duration;

use epiphyte_daemon::{Backoff, chain};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What is known of the uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uid {
    /// It was not asked for yet.
    Awaited,
    /// There was no answer so far.
    Unknown,
    /// It is this.
    Known(String),
}

/// Asks until there is an answer, and tells it.
pub(crate) async fn ask(told: watch::Sender<Uid>) {
    let mut backoff = Backoff::new(1_000, 60_000);
    loop {
        match timeout(LIMIT, uid()).await {
            Ok(Ok(Some(uid))) => {
                told.send_replace(Uid::Known(uid));
                return;
            }
            Ok(Err(error)) if *told.borrow() == Uid::Awaited => {
                let error = chain(&error);
                warn!(%error, "Events go without the cluster's uid until the API server tells it");
            }
            _ => {}
        }
        told.send_replace(Uid::Unknown);
        sleep(backoff.wait()).await;
    }
}

/// By a list of one, for which the rights are needed anyway.
async fn uid() -> kube::Result<Option<String>> {
    let namespaces = Api::<Namespace>::all(Client::try_default().await?);
    let found = namespaces.list_metadata(&ListParams::default().fields("metadata.name=kube-system")).await?;
    Ok(found.items.into_iter().find_map(|namespace| namespace.metadata.uid))
}
