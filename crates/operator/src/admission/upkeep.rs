//! Keeps the serving certificate and the API server's trust in it in order, for as long as the webhook runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::certificates::{CertificateError, Lifetimes, Material, Trust};
use super::metrics::AdmissionMetrics;
use super::publisher::{PublishError, Publisher};
use super::secret::{Store, Written};
use super::serving::Serving;
use super::{Options, Webhook};
use crate::settings::Settings;

/// A round that takes longer is given up.
const ROUND_TIMEOUT: Duration = Duration::from_secs(15);
/// The API server may be gone for good when we go.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(4);
/// A Secret that others keep writing is left for the next round after so many tries.
const TRIES: usize = 3;

/// Keeps certificate and trust in order.
pub(super) struct Upkeep {
    options: Options,
    names: Vec<String>,
    store: Store,
    publisher: Publisher,
    serving: Arc<Serving>,
    leader: watch::Receiver<bool>,
    settings: watch::Receiver<Settings>,
    metrics: AdmissionMetrics,
    /// The certificate that is served, as DER; set with it.
    served: Vec<u8>,
    /// The bundle that the API server was made to trust in the round before, if it was.
    published: Option<String>,
    /// The problem that was told last, so that it is not told every few seconds.
    told: Option<String>,
}

/// A round failed.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot read or write the webhook's Secret: {0}")]
    Secret(#[from] kube::Error),
    #[error("the webhook's Secret is written by others again and again")]
    Contended,
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the API server does not answer")]
    TimedOut(#[from] tokio::time::error::Elapsed),
}

impl Upkeep {
    pub(super) fn new(client: &Client, webhook: &Webhook, serving: Arc<Serving>) -> Self {
        let options = webhook.options.clone();
        Self {
            names: options.target.names(),
            store: Store::new(client.clone(), &options.namespace),
            publisher: Publisher::new(client.clone()),
            serving,
            leader: webhook.leader.clone(),
            settings: webhook.settings.clone(),
            metrics: webhook.metrics.clone(),
            served: Vec::new(),
            published: None,
            told: None,
            options,
        }
    }

    /// Runs until the shutdown, then removes the webhook configuration if it is ours.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.rounds()).await;
        match timeout(REMOVAL_TIMEOUT, self.publisher.remove(&self.options)).await.map_err(Problem::from) {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => warn!(%problem, "the webhook stays registered; the API server calls it in vain"),
            Err(problem) => warn!(%problem, "the webhook stays registered; the API server calls it in vain"),
        }
    }

    async fn rounds(&mut self) {
        loop {
            let round = timeout(ROUND_TIMEOUT, self.round()).await;
            self.tell(round.map_err(Problem::from).flatten().err());
            let interval = self.lifetimes().interval();
            let _ = timeout(interval, became_leader(&mut self.leader)).await;
        }
    }

    async fn round(&mut self) -> Result<(), Problem> {
        let leads = *self.leader.borrow_and_update();
        let material = self.material(leads, Timestamp::now()).await?;
        self.serve(&material)?;
        self.published = None;
        if leads {
            let name = self.settings.borrow().webhook.configuration_name.clone();
            let bundle = material.bundle();
            self.publisher.publish(&name, &self.options, &bundle).await?;
            self.published = Some(bundle);
        }
        Ok(())
    }

    /// What is stored, after what is due was done.
    async fn material(&self, leads: bool, now: Timestamp) -> Result<Material, Problem> {
        for _ in 0..TRIES {
            let Some(stored) = self.store.read().await? else {
                let material = Material::issue(&self.names, self.lifetimes(), now)?;
                match self.store.create(&material).await? {
                    Written::Stored => return Ok(material),
                    Written::Overtaken => continue,
                }
            };
            if !leads {
                return Ok(stored.material?);
            }
            let next = match &stored.material {
                Ok(material) => material.step(&self.names, self.lifetimes(), self.trust(material), now)?,
                Err(problem) => {
                    warn!(%problem, "the webhook's Secret is of no use and is made anew");
                    Some(Material::issue(&self.names, self.lifetimes(), now)?)
                }
            };
            let Some(next) = next else {
                return Ok(stored.material?);
            };
            match self.store.update(&stored.version, &next).await? {
                Written::Stored => return Ok(next),
                Written::Overtaken => continue,
            }
        }
        Err(Problem::Contended)
    }

    fn lifetimes(&self) -> Lifetimes {
        Lifetimes::from(&self.settings.borrow().webhook)
    }

    fn trust(&self, material: &Material) -> Trust {
        if self.published.as_deref() == Some(&material.bundle()) { Trust::Published } else { Trust::Pending }
    }

    fn serve(&mut self, material: &Material) -> Result<(), CertificateError> {
        let certificate = material.certificate();
        if self.served != **certificate.der() {
            self.serving.set(material.certified_key()?);
            self.metrics.serving_until(certificate.not_after());
            self.served = certificate.der().to_vec();
            info!(until = %certificate.not_after(), "the webhook serves with another certificate");
        }
        Ok(())
    }

    fn tell(&mut self, problem: Option<Problem>) {
        let problem = problem.map(|problem| problem.to_string());
        match &problem {
            Some(problem) if self.told.as_ref() != Some(problem) => warn!(%problem, "the webhook needs attention"),
            Some(problem) => debug!(%problem, "the webhook still needs attention"),
            None => {}
        }
        self.told = problem;
    }
}

/// Waits until this replica becomes the leader; for ever when there are no elections any more.
async fn became_leader(leader: &mut watch::Receiver<bool>) {
    while leader.changed().await.is_ok() {
        if *leader.borrow_and_update() {
            return;
        }
    }
    std::future::pending::<()>().await;
}
