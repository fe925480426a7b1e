//! The connection to the cluster.

use anyhow::Context as _;
use kube::{Client, Config};

/// Connects to the cluster of the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), or to the one that the program runs in.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    let config = Config::infer()
        .await
        .context("no cluster to talk to: set KUBECONFIG to a readable kubeconfig, or run in a pod with a service account")?;
    Client::try_from(config).context("the kubeconfig cannot be used")
}
