//! The `epiphyte` program as a process under measurement, beside a control plane.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use epiphyte_testbed::Guest;

use crate::admin::Admin;
use crate::cluster::Cluster;
use crate::process::{Memory, Process};

/// How long it must have used no CPU time to count as settled.
const QUIET: Duration = Duration::from_millis(1500);

/// A running deployable; goes with its control plane.
pub(crate) struct Deployable<'a> {
    guest: Guest<'a>,
    name: &'static str,
    started: Instant,
    pub(crate) admin: Admin,
}

/// What it took until nothing was left to do.
pub(crate) struct Settled {
    /// Since it was started.
    pub(crate) after: Duration,
    /// CPU time so far.
    pub(crate) cpu: Duration,
    pub(crate) memory: Memory,
}

impl<'a> Deployable<'a> {
    /// Starts one as a user of the cluster who may do everything, and does not wait for anything.
    pub(crate) async fn start(
        cluster: &'a Cluster,
        name: &'static str,
        user: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let admin = Admin::free()?;
        let mut command = Command::new(&cluster.program);
        command.arg(name).arg(format!("--admin-listen={}", admin.0));
        command.env("KUBECONFIG", cluster.plane.user(user, &["system:masters"])?);
        arguments(&mut command);
        let started = Instant::now();
        let guest = cluster.plane.run(name, &command).await?;
        Ok(Self { guest, name, started, admin })
    }

    /// Waits until it does nothing any more.
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

    /// What it says.
    pub(crate) fn log(&self) -> &Path {
        self.guest.log()
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<Process> {
        let log = || {
            let log = std::fs::read_to_string(self.guest.log()).unwrap_or_default();
            format!("the {} has ended:\n{log}", self.name)
        };
        self.guest.pid().map(Process).with_context(log)
    }
}
