//! The operator under measurement: the real program, beside a control plane.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use epiphyte_testbed::{Entry, Guest, Mark};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cluster::{Cluster, SYSTEM, until};
use crate::process::{Memory, Process};

/// The user that the operator is, as in a cluster: the audit log tells its requests from all others, and its own writes
/// do not go through its own webhook.
const USER: &str = "system:serviceaccount:odigos-system:epiphyte-operator";
const SERVICE_ACCOUNT: &str = "epiphyte-operator";

/// How long the operator must have used no CPU time to count as settled.
const QUIET: Duration = Duration::from_millis(1500);

/// A running operator; goes with its control plane.
pub(crate) struct Operator<'a> {
    cluster: &'a Cluster,
    guest: Guest<'a>,
    started: Instant,
    admin: SocketAddr,
    /// Where the webhook is served.
    pub(crate) webhook: SocketAddr,
}

/// What it took until nothing was left to do.
pub(crate) struct Settled {
    /// Since the operator was started.
    pub(crate) after: Duration,
    /// CPU time so far.
    pub(crate) cpu: Duration,
    pub(crate) memory: Memory,
}

impl<'a> Operator<'a> {
    /// Starts the operator, and does not wait for anything.
    pub(crate) async fn start(cluster: &'a Cluster) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("epiphyte");
        ensure!(program.exists(), "{} is not there; `cargo xtask bench` builds it", program.display());
        let (admin, webhook) = (free_address()?, free_address()?);
        let mut command = Command::new(program);
        command
            .args(["operator", "--namespace", SYSTEM, "--service-account", SERVICE_ACCOUNT])
            .arg(format!("--admin-listen={admin}"))
            .arg(format!("--webhook-listen={webhook}"))
            .arg(format!("--webhook-url=https://{webhook}"))
            .env("KUBECONFIG", cluster.plane.user(USER, &["system:masters"])?);
        let started = Instant::now();
        let guest = cluster.plane.run("operator", &command).await?;
        Ok(Self { cluster, guest, started, admin, webhook })
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
            Ok(self.metrics().await.is_ok_and(|metrics| metrics.lines().any(|line| line == "epiphyte_leader 1")))
        })
        .await
    }

    /// Waits until the operator does nothing any more.
    pub(crate) async fn settled(&self) -> Result<Settled> {
        let process = self.process()?;
        let (mut cpu, mut after) = (process.cpu()?, self.started.elapsed());
        while self.started.elapsed() - after < QUIET {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = process.cpu()?;
            // A tick or two go to leases and clocks.
            if now > cpu + Duration::from_millis(20) {
                (cpu, after) = (now, self.started.elapsed());
            }
        }
        Ok(Settled { after, cpu: process.cpu()?, memory: process.memory()? })
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<Process> {
        let log = || {
            let log = std::fs::read_to_string(self.guest.log()).unwrap_or_default();
            format!("the operator has ended:\n{log}")
        };
        self.guest.pid().map(Process).with_context(log)
    }

    /// What the operator has asked of the API server since a mark, its lease aside.
    pub(crate) fn requests_since(&self, mark: Mark) -> Result<Vec<Entry>> {
        let entries = self.cluster.plane.audit().since(mark)?;
        Ok(entries.into_iter().filter(is_ours).collect())
    }

    /// Workloads that it has instrumented so far, by its own account.
    pub(crate) async fn added(&self) -> Result<usize> {
        let metrics = self.metrics().await?;
        let line =
            metrics.lines().find(|line| line.contains("what=\"workload\"") && line.contains("outcome=\"added\""));
        let count = line.and_then(|line| line.rsplit(' ').next());
        Ok(count.map(str::parse).transpose()?.unwrap_or_default())
    }

    async fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
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

/// A port that is free now; the operator binds it a moment later.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
