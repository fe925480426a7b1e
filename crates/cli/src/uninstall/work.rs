//! The steps up to the point at which no operator works any more. Each looks at what there is, again and again, until it is
//! done: none relies on having seen something happen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use epiphyte_api::names::LEASE;
use epiphyte_operator::Uninstaller;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use super::lease::is_held;
use super::mark::Mark;
use super::progress::Progress;
use crate::audit::{LEASES, text};
use crate::cluster::{Cluster, Refusal};

/// How often the cluster is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// What has been done so far, and what hinders.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done {
    /// Workloads that had something of ours.
    pub(super) workloads: usize,
    /// Those of them that have it no more.
    pub(super) restored: usize,
    /// What hinders the others, as far as somebody has told.
    pub(super) stuck: Vec<Stuck>,
    /// What was removed of the installation.
    pub(super) removed: Vec<String>,
    /// Nodes whose host folder may still be there, and why.
    pub(super) hosts: BTreeMap<String, String>,
}

/// A workload that cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stuck {
    pub(super) namespace: String,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) why: String,
}

/// The work.
pub(super) struct Work<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) mark: Mark<'a>,
    /// Whether the system namespace is there.
    pub(super) has_namespace: bool,
    pub(super) progress: &'a Progress,
    pub(super) done: &'a RefCell<Done>,
}

/// How a step stands.
pub(super) enum Standing {
    /// It is done.
    Done,
    /// It waits, and for what.
    Waits(String),
}

impl Work<'_> {
    /// Everything up to the point at which no operator works any more.
    pub(super) async fn take_off(&self, engine: &mut Uninstaller) -> anyhow::Result<()> {
        // What there is to do is known before anybody begins with it.
        let seen = self.read(engine).await?;
        if !self.has_namespace {
            self.progress.say("there is no system namespace, so that no operator can be at work");
        } else if !self.mark.put().await? {
            self.progress.say("it has begun before, and goes on");
        }
        engine.begin();
        let engine = &*engine;
        self.restore(engine, seen).await?;
        let busy = self.replace_pods(engine).await?;
        if self.has_namespace {
            self.leave_hosts(&busy).await?;
            self.close(engine).await?;
        }
        Ok(())
    }

    /// Tells operators that everything is off, and waits until none works.
    async fn close(&self, engine: &Uninstaller) -> anyhow::Result<()> {
        self.until(LOOK, async || {
            self.mark.close().await?;
            if engine.outlook().leads {
                return Ok(Standing::Done);
            }
            let lease = match self.cluster.get(&LEASES, Some(self.mark.namespace), LEASE).await {
                Ok(lease) => lease,
                Err(Refusal::Forbidden(_) | Refusal::Unserved(_)) => None,
                Err(refusal) => return Err(refusal),
            };
            Ok(match lease.filter(|lease| is_held(lease, Timestamp::now())) {
                None => Standing::Done,
                Some(lease) => {
                    Standing::Waits(format!("waiting for operator {} to stop", text(&lease, "/spec/holderIdentity")))
                }
            })
        })
        .await
    }

    /// Repeats a step until it is done. An API server that is away is waited for; a missing right ends it.
    pub(super) async fn until(
        &self,
        interval: Duration,
        mut step: impl AsyncFnMut() -> Result<Standing, Refusal>,
    ) -> anyhow::Result<()> {
        loop {
            match step().await {
                Ok(Standing::Done) => return Ok(()),
                Ok(Standing::Waits(line)) => self.progress.say(line),
                Err(Refusal::Fatal(error)) => self.progress.say(format!("{error:#}; trying again")),
                Err(refusal) => return Err(refusal.into()),
            }
            sleep(interval).await;
        }
    }
}
