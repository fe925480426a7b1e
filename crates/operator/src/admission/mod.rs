//! The mutating webhook: instruments workloads in the write that creates or changes them.
//!
//! Every replica answers from memory and always allows. `review` is the answer to one request, `server` the HTTPS around
//! it; `certificates` and `configuration` say what should be, `upkeep` makes it so.

mod certificates;
mod configuration;
mod metrics;
mod publisher;
mod request;
mod review;
mod secret;
mod server;
mod serving;
mod target;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;

use epiphyte_daemon::Ready;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use certificates::{Certificate, CertificateError, read_certificates};
pub use configuration::{WEBHOOK, configuration};
pub use metrics::AdmissionMetrics;
pub use request::{NotAReview, Operation};
pub use review::{Answer, Outcome, Readiness, review};
pub use server::PATH;
pub(crate) use server::ServerError;
pub use target::{InvalidUrl, Target, WebhookUrl};

use self::serving::Serving;
use self::upkeep::Upkeep;
use crate::SharedIndex;
use crate::settings::Settings;

/// Where the webhook runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the API server finds the webhook.
    pub target: Target,
    /// Epiphyte's own namespace.
    pub namespace: String,
    /// User name of our own service account; `None` outside the cluster, where we are whoever the kubeconfig says.
    pub service_account: Option<String>,
}

/// The webhook and what it works with.
pub(crate) struct Webhook {
    pub(crate) options: Options,
    pub(crate) index: SharedIndex,
    pub(crate) synced: Ready,
    /// Whether this replica leads, and so may write.
    pub(crate) leader: watch::Receiver<bool>,
    pub(crate) settings: watch::Receiver<Settings>,
    pub(crate) metrics: AdmissionMetrics,
}

impl Webhook {
    /// Serves on a listener and keeps certificate and configuration in order until the shutdown; then finishes the
    /// reviews in flight and, outside the cluster, removes the webhook configuration first.
    ///
    /// # Errors
    /// TLS or threads cannot be set up.
    pub(crate) async fn run(
        self,
        client: Client,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServerError> {
        let serving = Arc::new(Serving::default());
        let upkeep = Upkeep::new(&client, &self, Arc::clone(&serving));
        let admission = Arc::new(Admission { index: self.index, synced: self.synced, metrics: self.metrics });
        let stop = CancellationToken::new();
        let keep_up = async {
            upkeep.run(shutdown).await;
            stop.cancel();
        };
        let ((), served) = tokio::join!(keep_up, server::serve(listener, serving, admission, stop.clone()));
        served
    }
}

/// What answers reviews.
struct Admission {
    index: SharedIndex,
    synced: Ready,
    metrics: AdmissionMetrics,
}

impl Admission {
    fn review(&self, body: &[u8]) -> Result<Answer, NotAReview> {
        let readiness = if self.synced.is_ready() { Readiness::Ready } else { Readiness::NotReady };
        review(body, &self.index, readiness)
    }
}
