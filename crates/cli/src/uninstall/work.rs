//! Takes everything off workloads, pods and hosts. Each step looks at what there is, again and again, until it is done: none
//! relies on having seen something happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use epiphyte_api::names::{HOST_IS_CLEAN, LEASE, NODE_AGENT};
use epiphyte_operator::index::WorkloadKey;
use epiphyte_operator::{Outlook, Uninstaller};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::lease::is_held;
use super::mark::Mark;
use super::progress::Progress;
use crate::audit::{LEASES, LUMIGOES, PODS, Running, selector, text};
use crate::cluster::{Cluster, Dependents, Named, Refusal};
use crate::explain::events;

/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked whether all workloads are known.
const READ: Duration = Duration::from_millis(100);

/// How often all pods are listed.
const LIST: Duration = Duration::from_secs(3);

/// How long a workload may take before somebody is asked what hinders.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many workloads are asked about at once.
const ASKED: usize = 20;

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
enum Standing {
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

    /// Waits until all workloads are known; tells those that have something of ours.
    async fn read(&self, engine: &Uninstaller) -> anyhow::Result<BTreeSet<WorkloadKey>> {
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
    async fn restore(&self, engine: &Uninstaller, mut seen: BTreeSet<WorkloadKey>) -> anyhow::Result<()> {
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
            self.cluster.delete(what, text(lumigo, "/metadata/uid"), Dependents::Later).await?;
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

    /// Waits for the pods that somebody replaces; tells the nodes of the others.
    async fn replace_pods(&self, engine: &Uninstaller) -> anyhow::Result<BTreeSet<String>> {
        let mut busy = BTreeSet::new();
        self.until(LIST, async || {
            let mut running = Vec::new();
            let each = |pod: Value| running.extend(Running::of(&pod));
            match self.cluster.list(&PODS, None, None, each).await {
                Ok(()) => {}
                Err(Refusal::Forbidden(why)) => {
                    self.progress.say(format!("{why}; whether pods still run with Epiphyte is not waited for"));
                    return Ok(Standing::Done);
                }
                Err(refusal) => return Err(refusal),
            }
            let goes = |pod: &&Running| pod.goes(pod.owner.as_ref().and_then(|owner| engine.replacement(owner)));
            let (going, staying): (Vec<&Running>, Vec<&Running>) = running.iter().partition(goes);
            busy = staying.iter().map(|pod| pod.node.clone()).collect();
            if going.is_empty() {
                let rest = match staying.len() {
                    0 => String::new(),
                    left => format!("; {left} that nothing replaces by itself run on with Epiphyte"),
                };
                self.progress.say(format!("pods are replaced{rest}"));
                return Ok(Standing::Done);
            }
            Ok(Standing::Waits(format!("{} pods are yet to be replaced", going.len())))
        })
        .await?;
        Ok(busy)
    }

    /// Waits for the node agents that can leave their hosts. `busy` are nodes with pods that run on.
    async fn leave_hosts(&self, busy: &BTreeSet<String>) -> anyhow::Result<()> {
        self.until(LOOK, async || {
            let mut agents = BTreeMap::new();
            let selector = format!("{},app.kubernetes.io/name={NODE_AGENT}", selector());
            let each = |pod: Value| {
                let node = text(&pod, "/spec/nodeName").to_owned();
                let ready: &mut bool = agents.entry(node).or_default();
                *ready |= is_ready(&pod);
            };
            match self.cluster.list_labelled(&PODS, &selector, each).await {
                Ok(()) | Err(Refusal::Forbidden(_) | Refusal::Unserved(_)) => {}
                Err(refusal) => return Err(refusal),
            }
            let said = self.mark.hosts().await?;
            let mut hosts = BTreeMap::new();
            let mut awaited = 0;
            for (node, ready) in agents.iter().filter(|(node, _)| !node.is_empty()) {
                let why = match said.get(node).map(String::as_str) {
                    Some(HOST_IS_CLEAN) => continue,
                    _ if busy.contains(node) => "pods on it run on with Epiphyte".to_owned(),
                    _ if !ready => "its node agent is not ready".to_owned(),
                    said => {
                        awaited += 1;
                        said.unwrap_or("its node agent has not told yet").to_owned()
                    }
                };
                hosts.insert(node.clone(), why);
            }
            let line = format!("{} of {} node agents have left their host", agents.len() - hosts.len(), agents.len());
            self.done.borrow_mut().hosts = hosts;
            if awaited == 0 {
                if !agents.is_empty() {
                    self.progress.say(line);
                }
                return Ok(Standing::Done);
            }
            Ok(Standing::Waits(line))
        })
        .await
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
    async fn until(
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

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.into_iter().flatten().any(|it| text(it, "/type") == "Ready" && text(it, "/status") == "True")
}
