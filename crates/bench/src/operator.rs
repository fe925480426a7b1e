//! The operator under measurement: the real program, beside a control plane.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use epiphyte_testbed::{Entry, Mark, free_address};

use crate::cluster::{Cluster, SYSTEM, until};
use crate::deployable::{Deployable, Settled};
use crate::process::Process;

/// The user that the operator is, as in a cluster: the audit log tells its requests from all others, and its own writes
/// do not go through its own webhook.
const USER: &str = "system:serviceaccount:odigos-system:epiphyte-operator";
const SERVICE_ACCOUNT: &str = "epiphyte-operator";

/// There is no telemetry proxy: the measurement says when the collectors are ready.
const SETTINGS: &str = "scheduler: {enabled: false}\n";

/// A running operator; goes with its control plane.
pub(crate) struct Operator<'a> {
    cluster: &'a Cluster,
    deployable: Deployable<'a>,
    /// Where the webhook is served.
    pub(crate) webhook: SocketAddr,
}

impl<'a> Operator<'a> {
    /// Starts the operator, and does not wait for anything.
    pub(crate) async fn start(cluster: &'a Cluster) -> Result<Self> {
        let webhook = free_address()?;
        let settings = cluster.plane.folder().join("settings.yaml");
        std::fs::write(&settings, SETTINGS).context("cannot write the settings")?;
        let deployable = Deployable::start(cluster, "operator", USER, |command| {
            command
                .args(["--namespace", SYSTEM, "--service-account", SERVICE_ACCOUNT])
                .arg("--config")
                .arg(settings)
                .arg(format!("--webhook-listen={webhook}"))
                .arg(format!("--webhook-url=https://{webhook}"));
        });
        Ok(Self { cluster, deployable: deployable.await?, webhook })
    }

    /// Starts the operator and waits until it leads and serves the webhook; gives the authority that its certificate is
    /// from, as PEM.
    pub(crate) async fn start_and_wait(cluster: &'a Cluster) -> Result<(Self, Vec<u8>)> {
        let operator = Self::start(cluster).await?;
        operator.leads().await?;
        let mut authority = Vec::new();
        until("the webhook is registered", async || {
            authority = operator.authority().await.unwrap_or_default();
            Ok(!authority.is_empty())
        })
        .await?;
        Ok((operator, authority))
    }

    /// Waits until every list is in and the operator writes.
    pub(crate) async fn leads(&self) -> Result<()> {
        until("the operator leads", async || {
            self.process()?;
            Ok(self
                .deployable
                .admin
                .get("/metrics")
                .await
                .is_ok_and(|metrics| metrics.lines().any(|line| line == "epiphyte_leader 1")))
        })
        .await
    }

    /// Waits until the operator does nothing any more.
    pub(crate) async fn settled(&self) -> Result<Settled> {
        self.deployable.settled().await
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<Process> {
        self.deployable.process()
    }

    /// What the operator has asked of the API server since a mark, its lease aside.
    pub(crate) fn requests_since(&self, mark: Mark) -> Result<Vec<Entry>> {
        let entries = self.cluster.plane.audit().since(mark)?;
        Ok(entries.into_iter().filter(is_ours).collect())
    }

    /// Workloads that it has instrumented so far, by its own account.
    pub(crate) async fn added(&self) -> Result<usize> {
        let metrics = self.deployable.admin.get("/metrics").await?;
        let line =
            metrics.lines().find(|line| line.contains("what=\"workload\"") && line.contains("outcome=\"added\""));
        let count = line.and_then(|line| line.rsplit(' ').next());
        Ok(count.map(str::parse).transpose()?.unwrap_or_default())
    }

    async fn authority(&self) -> Result<Vec<u8>> {
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        let list = self.cluster.get(path).await?;
        let bundle = list.pointer("/items/0/webhooks/0/clientConfig/caBundle").and_then(|it| it.as_str());
        decode(bundle.context("no authority yet")?)
    }
}

/// Whether a request is the operator's, and not about its lease.
pub(crate) fn is_ours(entry: &Entry) -> bool {
    entry.user.username == USER && !entry.is_about("leases")
}

fn decode(base64: &str) -> Result<Vec<u8>> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.decode(base64)?)
}
