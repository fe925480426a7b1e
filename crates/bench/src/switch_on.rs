//! Many workloads that are switched on at once.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use epiphyte_api::Device;
use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_testbed::{ADMIN, Entry, FakeNode};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SYSTEM, until};
use crate::manifests::{Shape, deployment, stored};
use crate::operator::{Operator, is_ours};
use crate::report::{Figure, Row};

const PART: &str = "switch-on";

const WORKLOADS: usize = 500;

const COLLECTORS: &str = "/apis/odigos.io/v1alpha1/namespaces/odigos-system/collectorsgroups";

/// Rounds, of which the best time counts, since what else goes on on the machine only ever adds, and the worst of all else.
const ROUNDS: usize = 3;

/// How often the node agent's part looks for questions.
const LOOK: Duration = Duration::from_millis(50);

/// What is waited for last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastFact {
    /// All is known and marked; the collectors become ready.
    Collectors,
    /// The collectors are ready; the namespace is marked, then the node agents answer.
    Mark,
    /// A Lumigo is applied, whose Secret is there.
    Lumigo,
}

impl LastFact {
    const fn title(self) -> &'static str {
        match self {
            Self::Collectors => "collectors ready last",
            Self::Mark => "marked last",
            Self::Lumigo => "a Lumigo applied",
        }
    }
}

/// Measures.
pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let mut rows = give_devices(program).await?;
    rows.extend(inject(program).await?);
    Ok(rows)
}

/// Devices for workloads that an annotation turns on.
async fn give_devices(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    let node =
        Device::ALL.into_iter().fold(FakeNode::new("node-1"), |node, device| node.offers(device.resource(), "100"));
    cluster.plane.create_node(&node).await?;
    let group = json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
        "metadata": { "name": "gateway", "namespace": SYSTEM }, "spec": { "role": "CLUSTER_GATEWAY" },
    });
    cluster.create(COLLECTORS, &group).await?;
    let (operator, _) = Operator::start_and_wait(&cluster).await?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // A loss counts only after a grace period: what is on stays on.
        set_ready(&cluster, false).await?;
        rounds.push(switch_on(&cluster, &operator, &format!("shop-{round}"), LastFact::Collectors).await?);
    }
    let mut rows = Row::of_rounds(rounds);
    rows.extend(switch_on(&cluster, &operator, "stock", LastFact::Mark).await?);
    rows.push(Row::new(PART, "resident memory, peak", Figure::Bytes(operator.process()?.memory()?.peak)));
    Ok(rows)
}

/// Injection into workloads that were there before their Lumigo, in a cluster of its own for the sake of the memory.
async fn inject(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    let (operator, _) = Operator::start_and_wait(&cluster).await?;
    let mut rounds = vec![switch_on(&cluster, &operator, "traced-0", LastFact::Lumigo).await?];
    let peak = operator.process()?.memory()?.peak;
    for round in 1..ROUNDS {
        rounds.push(switch_on(&cluster, &operator, &format!("traced-{round}"), LastFact::Lumigo).await?);
    }
    let mut rows = Row::of_rounds(rounds);
    rows.push(row(LastFact::Lumigo, "resident memory, peak", Figure::Bytes(peak)));
    Ok(rows)
}

fn row(last: LastFact, what: &str, figure: Figure) -> Row {
    Row::new(PART, format!("500 workloads, {}: {what}", last.title()), figure)
}

async fn set_ready(cluster: &Cluster, ready: bool) -> Result<()> {
    cluster.merge(&format!("{COLLECTORS}/gateway/status"), &json!({ "status": { "ready": ready } })).await?;
    Ok(())
}

async fn switch_on(cluster: &Cluster, operator: &Operator<'_>, namespace: &str, last: LastFact) -> Result<Vec<Row>> {
    crate::say(&format!("switch-on: {}, in {namespace}", last.title()));
    cluster.namespace(namespace).await?;
    let deployments = (0..WORKLOADS).map(|number| {
        let shape = Shape::new(1, 12 + number * 7 % 29);
        stored(deployment(namespace, &format!("service-{number:03}"), shape))
    });
    cluster.create_deployments(deployments).await?;
    match last {
        LastFact::Collectors => {
            mark(cluster, namespace).await?;
            answer(cluster, namespace).await?;
        }
        LastFact::Mark => {}
        LastFact::Lumigo => cluster.token(namespace).await?,
    }
    operator.settled().await?;

    let (process, log) = (operator.process()?, cluster.plane.audit());
    let (before, start, added) = (process.cpu()?, log.mark()?, operator.added().await?);
    match last {
        LastFact::Collectors => set_ready(cluster, true).await?,
        LastFact::Mark => {
            mark(cluster, namespace).await?;
            answer(cluster, namespace).await?;
        }
        LastFact::Lumigo => cluster.lumigo(namespace).await?,
    }
    until("every workload is instrumented", async || Ok(operator.added().await? >= added + WORKLOADS)).await?;
    operator.settled().await?;
    let cpu = process.cpu()? - before;

    let entries = log.since(start)?;
    let row = |what: &str, figure| row(last, what, figure);
    let writes = writes(&entries);
    let most = writes.values().copied().max().unwrap_or_default();
    let total: usize = writes.values().sum();
    let others = entries.iter().filter(|entry| is_ours(entry) && entry.is_write()).count() - total;
    let instrumented = last_patch(&entries).context("nothing was patched")?;
    let since = |moment: Timestamp| Figure::Seconds(instrumented.duration_since(moment).as_secs_f64());
    let mut rows = Vec::new();
    if last == LastFact::Mark {
        let marked = by_people(&entries, "namespaces").next().context("nothing was marked")?;
        rows.push(row("from the annotation to the last patch", since(marked)));
    }
    let last_fact = match last {
        LastFact::Collectors => by_people(&entries, "collectorsgroups/status").next(),
        LastFact::Mark => by_people(&entries, "instrumentedapplications").max(),
        LastFact::Lumigo => by_people(&entries, "lumigoes").next(),
    };
    let after = since(last_fact.context("the last fact is not in the audit log")?);
    rows.extend([
        row("from the last fact to the last patch", after).at_most(Figure::Seconds(5.0)).peers("24 to 33 s"),
        row("writes to workloads", Figure::Count(total as f64))
            .at_most(Figure::Count(WORKLOADS as f64))
            .peers("500 to 4,636"),
        row("writes to one workload, most", Figure::Count(most as f64)).at_most(Figure::Count(1.0)),
        row("other writes: details, status, Events", Figure::Count(others as f64)),
        row("CPU of the operator", Figure::Seconds(cpu.as_secs_f64())),
    ]);
    Ok(rows)
}

async fn mark(cluster: &Cluster, namespace: &str) -> Result<()> {
    let annotation = json!({ "metadata": { "annotations": { epiphyte_api::names::INSTRUMENT_ANNOTATION: "true" } } });
    cluster.merge(&format!("/api/v1/namespaces/{namespace}"), &annotation).await?;
    Ok(())
}

/// Plays the node agents: answers what the operator asks, until every workload is known.
async fn answer(cluster: &Cluster, namespace: &str) -> Result<()> {
    let path = format!("/apis/odigos.io/v1alpha1/namespaces/{namespace}/instrumentedapplications");
    let patch = json!({
        "metadata": { "labels": { epiphyte_api::names::DETECT_LABEL: null } },
        "spec": { "languages": [{ "containerName": "app", "language": "java", "runtimeVersion": "21.0.4" }] },
    });
    let pending = format!("{path}?labelSelector=epiphyte.dev%2Fdetect%3Dpending");
    let mut answered = 0;
    while answered < WORKLOADS {
        let list = cluster.get(&pending).await?;
        let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = items.iter().filter_map(|item| item.pointer("/metadata/name")?.as_str());
        let answers = names.map(async |name| cluster.merge(&format!("{path}/{name}"), &patch).await);
        answered += futures::stream::iter(answers).buffer_unordered(8).try_collect::<Vec<_>>().await?.len();
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// How often the operator has written to each workload.
fn writes(entries: &[Entry]) -> HashMap<&str, usize> {
    let mut writes = HashMap::new();
    for entry in entries.iter().filter(|entry| is_patch(entry)) {
        *writes.entry(entry.object_ref.as_ref().map_or("", |object| &object.name)).or_default() += 1;
    }
    writes
}

fn last_patch(entries: &[Entry]) -> Option<Timestamp> {
    entries.iter().filter(|entry| is_patch(entry)).map(|entry| entry.stage_timestamp.0).max()
}

fn is_patch(entry: &Entry) -> bool {
    is_ours(entry) && entry.is_write() && entry.is_about(Deployment.plural())
}

/// When the writes of people, and of the node agents that the benchmark plays, were answered.
fn by_people<'a>(entries: &'a [Entry], resource: &'a str) -> impl Iterator<Item = Timestamp> {
    let theirs = entries
        .iter()
        .filter(move |entry| entry.user.username == ADMIN && entry.is_write() && entry.is_about(resource));
    theirs.map(|entry| entry.stage_timestamp.0)
}
