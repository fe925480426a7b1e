//! The upgrade itself: made by Helm, watched, and rolled back if what it put there does not come up.
//!
//! Helm's own way to roll back (`--atomic`) would take the pods that failed away before anybody can ask them why.

use std::time::Duration;

use epiphyte_api::names::UPDATE_LABEL;
use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cause::cause;
use crate::helm::{Helm, HelmError};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::release::{self, Attempt, Installed, Status};
use crate::repository::Archive;
use crate::{Ended, WAITS};

/// What an upgrade has at hand.
pub(crate) struct Work<'a> {
    pub(crate) options: &'a Options,
    pub(crate) client: &'a Client,
    pub(crate) helm: &'a Helm,
    pub(crate) stop: &'a CancellationToken,
    /// Tells this run from others.
    pub(crate) run: &'a str,
}

impl Work<'_> {
    /// Upgrades the release, and waits until all is ready.
    pub(crate) async fn upgrade(&self, installed: &Installed, last: u32, archive: &Archive) -> Result<Ended, Ended> {
        let Options { release, timeout, .. } = self.options;
        let attempt = Attempt::new(last + 1, &archive.digest, self.run);
        let (file, timeout) = (archive.file.display().to_string(), format!("{}ms", timeout.as_millis()));
        let label = format!("{UPDATE_LABEL}={}", attempt.label());
        let description = format!("Updated from {} to {} by epiphyte updater", installed.version, archive.version);
        info!(release, from = %installed.version, to = %archive.version, "upgrading");
        #[rustfmt::skip]
        let upgraded = self.helm.within(self.longest()).run([
            "upgrade", release, &file, "--reset-then-reuse-values", "--wait", "--timeout", &timeout,
            "--labels", &label, "--description", &description,
        ]).await;
        match upgraded {
            Ok(_) => Ok(Ended::plain(Outcome::Updated)),
            Err(HelmError::Failed { said, .. }) => Err(self.failed(installed, &attempt, said).await?),
            Err(error @ HelmError::Silent { .. }) => Err(self.failed(installed, &attempt, error.to_string()).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// How long an operation may take.
    fn longest(&self) -> Duration {
        self.options.timeout.saturating_mul(WAITS)
    }

    async fn failed(&self, installed: &Installed, attempt: &Attempt, said: String) -> Result<Ended, Ended> {
        let Options { release, namespace, .. } = self.options;
        // From here on to the end, whoever says stop.
        let helm = self.helm.to_the_end();
        let attempts = release::attempts(self.client, namespace, release).await?;
        if !attempts.contains(attempt) {
            // It got no revision, because of somebody else's or because it was refused.
            let outcome = if is_taken(&said) { Outcome::Held } else { Outcome::UpgradeRefused };
            return Ok(Ended::new(outcome, said));
        }
        let history = release::history(&helm, release).await?.unwrap_or_default();
        let made = history.into_iter().find(|it| it.revision == attempt.revision);
        if made.is_some_and(|made| made.status == Status::Deployed) {
            // Somebody helped.
            return Ok(Ended::plain(Outcome::Updated));
        }
        let causes = cause(self.client, &helm, namespace, release, attempt.revision).await;
        let why = std::iter::once(said).chain(causes).collect::<Vec<_>>().join("; ");
        let outcome = if self.stop.is_cancelled() { Outcome::Interrupted } else { Outcome::RolledBack };
        warn!(release, revision = attempt.revision, "the upgrade failed, and is rolled back");
        Ok(self.roll_back(attempt.revision, installed.revision, why, outcome).await)
    }

    /// Goes back to what was deployed before a revision that failed.
    pub(crate) async fn roll_back(&self, failed: u32, back_to: u32, why: String, outcome: Outcome) -> Ended {
        let Options { release, namespace, timeout, .. } = self.options;
        let (target, timeout) = (back_to.to_string(), format!("{}ms", timeout.as_millis()));
        let mut arguments = vec!["rollback", release, &target, "--timeout", &timeout];
        if !self.stop.is_cancelled() {
            arguments.push("--wait");
        }
        match self.helm.to_the_end().within(self.longest()).run(arguments).await {
            Ok(_) => Ended::new(outcome, format!("revision {failed}: {why}")),
            Err(error) => Ended {
                next: format!("Look what is wrong, then `helm rollback {release} {back_to} --namespace {namespace}`."),
                ..Ended::new(Outcome::RollbackFailed, format!("revision {failed}: {why}; the rollback: {error}"))
            },
        }
    }
}

/// Whether Helm says that somebody else was first.
pub(crate) fn is_taken(said: &str) -> bool {
    said.contains("another operation (install/upgrade/rollback) is in progress") || said.contains("already exists")
}
