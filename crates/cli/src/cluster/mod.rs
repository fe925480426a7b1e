//! The connection to the cluster.

mod answer;
mod ask;
mod change;
mod contents;
mod survey;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub(crate) use answer::Answer;
pub(crate) use ask::{Refusal, Resource};
pub(crate) use change::{Dependents, Named};
pub(crate) use survey::{Scope, Survey};

/// How long a person is left waiting for a connection, and then for an answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(30));

/// Connects to the cluster of the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), or to the one that the program runs in.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    let config = config().await?;
    tracing::info!(url = %config.cluster_url, "the API server");
    client(config)
}

/// A cluster that a person asks about.
pub(crate) struct Cluster {
    client: Client,
    /// What the client was made from.
    config: Config,
    /// A client that asks once; made at the first question to it.
    once: OnceLock<Client>,
    /// The URL of the API server, for errors.
    url: String,
    /// The namespace of the kubeconfig's context.
    pub(crate) namespace: String,
}

impl Cluster {
    /// The cluster that [`connect`] would connect to. Nothing is asked of it yet.
    pub(crate) async fn of_person() -> anyhow::Result<Self> {
        let mut config = config().await?;
        (config.connect_timeout, config.read_timeout) = (Some(PATIENCE.0), Some(PATIENCE.1));
        // Without it the time that a connection lies idle counts as waiting.
        config.reset_reader_on_write = true;
        let (url, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
        let client = client(config.clone())?;
        Ok(Self { client, config, once: OnceLock::new(), url, namespace })
    }

    /// The client, for an engine of another crate.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

fn client(config: Config) -> anyhow::Result<Client> {
    Client::try_from(config).context("the kubeconfig cannot be used")
}

async fn config() -> anyhow::Result<Config> {
    let named: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    let own = std::env::home_dir().map(|home| home.join(".kube/config"));
    let (kubeconfig, file) = if !named.is_empty() {
        let files = named.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        (Kubeconfig::from_env().map(Option::unwrap_or_default), format!("{files} (from KUBECONFIG)"))
    } else if let Some(own) = own.as_ref().filter(|path| path.exists()) {
        (Kubeconfig::read_from(own), own.display().to_string())
    } else if let Ok(config) = Config::incluster() {
        return Ok(config);
    } else {
        let own = own.map_or_else(|| "~/.kube/config".to_owned(), |path| path.display().to_string());
        bail!(
            "no cluster to talk to: KUBECONFIG is not set, there is no {own}, and this is no pod with a service account; \
             set KUBECONFIG to the kubeconfig of your cluster"
        );
    };
    let unusable = |error: KubeconfigError| {
        anyhow!("cannot use the kubeconfig {file}; correct it, or set KUBECONFIG to another: {error}")
    };
    let kubeconfig = kubeconfig.map_err(unusable)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)
}
