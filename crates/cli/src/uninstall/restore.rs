//! Takes everything off workloads: Lumigoes go, and whoever leads restores what they and other marks have instrumented.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use epiphyte_operator::index::WorkloadKey;
use epiphyte_operator::{Outlook, Uninstaller};
use serde_json::Value;
use tokio::time::Instant;

use super::work::{LOOK, Standing, Stuck, Work};
use crate::audit::{LUMIGOES, text};
use crate::cluster::{Dependents, Named, Refusal};
use crate::explain::events;

/// How often it is looked whether all workloads are known.
const READ: Duration = Duration::from_millis(100);

/// How long a workload may take before somebody is asked what hinders.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many workloads are asked about at once.
const ASKED: usize = 20;

impl Work<'_> {
    /// Waits until all workloads are known; tells those that have something of ours.
    pub(super) async fn read(&self, engine: &Uninstaller) -> anyhow::Result<BTreeSet<WorkloadKey>> {
        let mut seen = BTreeSet::new();
        self.until(READ, async || {
            let Outlook { awaited, left, .. } = engine.outlook();
            seen = left.into_iter().map(|(key, _)| key).collect();
            Ok(match awaited.as_slice() {
                [] => Standing::Done,
                awaited => Standing::Waits(format!("reading {}", awaited.join(", "))),
            })
        })
        .await?;
        Ok(seen)
    }

    /// Lumigoes and workloads; those of `seen` had something of ours at the start.
    pub(super) async fn restore(&self, engine: &Uninstaller, mut seen: BTreeSet<WorkloadKey>) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut told = BTreeMap::new();
        self.until(LOOK, async || {
            let lumigoes = self.delete_lumigoes().await?;
            let Outlook { leads, left, .. } = engine.outlook();
            seen.extend(left.iter().map(|(key, _)| key.clone()));
            let stuck = if start.elapsed() > PATIENCE { self.stuck(engine, &left).await? } else { Vec::new() };
            for stuck in &stuck {
                let Stuck { namespace, kind, name, why } = stuck;
                if told.insert((*kind, namespace.clone(), name.clone()), why.clone()).as_ref() != Some(why) {
                    self.progress.say(format!("stuck: {kind} {namespace}/{name}: {why}"));
                }
            }
            let (restored, workloads, stuck_count) = (seen.len() - left.len(), seen.len(), stuck.len());
            {
                let mut done = self.done.borrow_mut();
                (done.workloads, done.restored, done.stuck) = (workloads, restored, stuck);
            }
            let mut line = format!("{restored} of {workloads} workloads restored");
            if stuck_count > 0 {
                line += &format!(", {stuck_count} stuck");
            }
            if lumigoes > 0 {
                line += &format!(", {lumigoes} {} to go", if lumigoes == 1 { "Lumigo" } else { "Lumigoes" });
            }
            if left.is_empty() && lumigoes == 0 {
                self.progress.say(line);
                return Ok(Standing::Done);
            }
            line += if leads { "; no operator is at work, so this program is" } else { "" };
            Ok(Standing::Waits(line))
        })
        .await
    }

    /// Deletes every Lumigo; tells how many are still there.
    async fn delete_lumigoes(&self) -> Result<usize, Refusal> {
        let mut lumigoes = Vec::new();
        match self.cluster.list(&LUMIGOES, None, None, |lumigo: Value| lumigoes.push(lumigo)).await {
            // Without their definition there are none.
            Ok(()) | Err(Refusal::Unserved(_)) => {}
            Err(refusal) => return Err(refusal),
        }
        for lumigo in lumigoes.iter().filter(|it| it.pointer("/metadata/deletionTimestamp").is_none()) {
            let (namespace, name) = (text(lumigo, "/metadata/namespace"), text(lumigo, "/metadata/name"));
            let what = Named { resource: &LUMIGOES, namespace: Some(namespace), name };
            // One that cannot be deleted hinders no other.
            if let Err(refusal) = self.cluster.delete(what, text(lumigo, "/metadata/uid"), Dependents::Later).await {
                self.progress
                    .say(format!("Lumigo {namespace}/{name}: {:#}; trying again", anyhow::Error::from(refusal)));
            }
        }
        Ok(lumigoes.len())
    }

    /// What hinders workloads: as this program found, or as an operator tells by Events.
    async fn stuck(
        &self,
        engine: &Uninstaller,
        left: &[(WorkloadKey, Option<epiphyte_operator::Hindrance>)],
    ) -> Result<Vec<Stuck>, Refusal> {
        let mut stuck = Vec::new();
        for (key, hindrance) in left.iter().take(ASKED) {
            let why = match hindrance {
                Some(it) => Some(format!("{}: {} {}", it.reason.code(), it.reason.sentence(), it.message)),
                None => {
                    let uid = engine.uid(key).unwrap_or_default();
                    let told = match events(self.cluster, &key.namespace, &uid).await {
                        Ok(told) => told,
                        Err(Refusal::Fatal(error)) => return Err(Refusal::Fatal(error)),
                        Err(Refusal::Forbidden(_) | Refusal::Unserved(_)) => Vec::new(),
                    };
                    let last = told.into_iter().rfind(|it| it.reason == "LumigoCannotRemoveInstrumentation");
                    last.map(|event| event.message)
                }
            };
            stuck.extend(why.map(|why| Stuck {
                namespace: key.namespace.to_string(),
                kind: key.kind.as_str(),
                name: key.name.to_string(),
                why,
            }));
        }
        Ok(stuck)
    }
}
