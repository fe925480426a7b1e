//! Waits until pods are replaced and node agents have left their hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use epiphyte_api::names::{HOST_IS_CLEAN, NODE_AGENT};
use epiphyte_operator::Uninstaller;
use serde_json::Value;

use super::work::{LOOK, Standing, Work};
use crate::audit::{PODS, Running, selector, text};
use crate::cluster::Refusal;

/// How often all pods are listed.
const LIST: Duration = Duration::from_secs(3);

impl Work<'_> {
    /// Waits for the pods that somebody replaces; tells the nodes of the others.
    pub(super) async fn replace_pods(&self, engine: &Uninstaller) -> anyhow::Result<BTreeSet<String>> {
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
    pub(super) async fn leave_hosts(&self, busy: &BTreeSet<String>) -> anyhow::Result<()> {
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
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.into_iter().flatten().any(|it| text(it, "/type") == "Ready" && text(it, "/status") == "True")
}
