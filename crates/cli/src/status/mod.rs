//! `epiphyte status`: workloads, Lumigoes and their states at a glance.

mod render;
mod watch;

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::{Device, Severity, WorkloadKind};
use epiphyte_operator::index::{Index, WorkloadKey};
use epiphyte_plan::{Finding, GateState, Manifest, Workload};
use jiff::Timestamp;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use crate::audit;
use crate::cluster::{Cluster, Scope, Survey};
use crate::engine::EngineArguments;
use crate::explain::resource;
use crate::show::{self, CollectorsReport, FindingReport, Format, LumigoReport, Present, Rollout, SourceReport};

pub(crate) use render::render;

/// Show the workloads that are marked or instrumented, the Lumigoes, and their states, at a glance.
///
/// Asks the API server for what the operator goes by, and decides with the operator's own engine. Nothing is written.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte status
  kubectl epiphyte status -n shop --all
  epiphyte status --watch
  epiphyte status -o json | jq '.workloads[] | select(.severity == \"warning\")'

States: on (every container is instrumented), partly (some are), waiting (something is awaited that comes without help),
  keep (stays as it is), off. `epiphyte explain` says more of a single workload.

With --watch the table is drawn anew in its place until Ctrl-C, with how far each rollout is. Where the output is no terminal,
each workload is a line, and is told again whenever something of it changes.

JSON: collectors {reason, severity, message, about, graceOverAt, groups[] {name, ready, since, message}},
  nodes {total, offering}, uninstalling,
  workloads[] {namespace, kind, name, state, delivery, languages[], reason, severity, message, about, next,
    rollout {wanted, updated, ready, underWay}},
  lumigoes[] {namespace, name, active, reason, message, injected},
  sources[] {namespace, name, reason, severity, message, about, next}, notes[].

Exit status: 0, also when a watch is ended by Ctrl-C; 1 if the API server cannot be asked; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// Only this namespace; all namespaces by default.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Every workload, also those that nobody has marked.
    #[arg(long)]
    all: bool,
    /// Go on until Ctrl-C, and show what changes.
    #[arg(short, long, conflicts_with = "output")]
    watch: bool,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    engine: EngineArguments,
}

/// All that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    collectors: CollectorsReport,
    nodes: Nodes,
    /// Whether Epiphyte is being uninstalled.
    uninstalling: bool,
    workloads: Vec<Row>,
    lumigoes: Vec<LumigoReport>,
    sources: Vec<SourceReport>,
    notes: Vec<String>,
}

impl Status {
    /// The workloads that it speaks of.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = WorkloadKey> {
        self.workloads.iter().filter_map(|row| {
            let (namespace, name) = (row.namespace.as_str().into(), row.name.as_str().into());
            Some(WorkloadKey { namespace, kind: row.kind.parse().ok()?, name })
        })
    }
}

/// How many nodes there are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Nodes {
    /// All.
    total: usize,
    /// Those that are ready and offer a device.
    offering: usize,
}

/// One workload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    kind: &'static str,
    name: String,
    /// See [`Present::state`].
    state: &'static str,
    /// How it is, or else is to be, instrumented.
    delivery: Option<&'static str>,
    /// The languages of its containers, as far as they were detected.
    languages: Vec<String>,
    /// Why the state is as it is.
    #[serde(flatten)]
    why: FindingReport,
    /// What the reader can do; empty if nothing.
    next: &'static str,
    /// How far its rollout is; `null` for a kind whose controller replaces no pods.
    rollout: Option<Rollout>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let cluster = runtime.block_on(Cluster::of_person())?;
    if arguments.watch {
        return runtime.block_on(watch::watch(&cluster, arguments)).map(|()| ExitCode::SUCCESS);
    }
    let status = runtime.block_on(status(&cluster, arguments))?;
    show::print(&match arguments.output {
        Format::Text => render(&status, arguments.all),
        Format::Json => show::json(&status)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn status(cluster: &Cluster, arguments: &Arguments) -> anyhow::Result<Status> {
    let system = audit::system_namespace(cluster, &arguments.engine.system_namespace).await?;
    Ok(look(cluster, arguments, &system).await?.0)
}

/// The status of the whole cluster, and what it was decided by.
pub(crate) async fn everything(
    cluster: &Cluster,
    engine: EngineArguments,
    system: &str,
) -> anyhow::Result<(Status, Index)> {
    let arguments = Arguments { namespace: None, all: false, watch: false, output: Format::Json, engine };
    look(cluster, &arguments, system).await
}

async fn look(cluster: &Cluster, arguments: &Arguments, system: &str) -> anyhow::Result<(Status, Index)> {
    let namespace = arguments.namespace.as_deref();
    let scope = namespace.map_or(Scope::Everywhere, Scope::Namespace);
    let mut survey = Survey::of(cluster, &arguments.engine, system, scope).await?;
    let mut rollouts = HashMap::new();
    for kind in WorkloadKind::ALL {
        let (index, notes) = (&mut survey.index, &mut survey.notes);
        let apply = |object: Value| match Manifest::deserialize(&object) {
            Ok(manifest) => {
                let workload = manifest.into_workload(kind);
                rollouts.extend(Rollout::of(kind, &object).map(|rollout| (WorkloadKey::of(&workload), rollout)));
                index.apply_workload(workload);
            }
            Err(error) => notes.push(format!("a {kind} cannot be read and is passed over: {error}")),
        };
        let listed = cluster.list(&resource(kind), namespace, None, apply).await;
        survey.noted(listed)?;
    }
    let Survey { index, lumigoes, notes, .. } = survey;
    let mut workloads: Vec<_> = index.workloads().collect();
    workloads.sort_unstable_by_key(|(key, _)| *key);
    let offers =
        |node: &&epiphyte_plan::Node| node.ready && Device::ALL.iter().any(|device| node.devices.contains(*device));
    let status = Status {
        collectors: CollectorsReport::of(&index, Timestamp::now()),
        nodes: Nodes { total: index.nodes().len(), offering: index.nodes().iter().filter(offers).count() },
        uninstalling: index.is_uninstalling(),
        workloads: workloads
            .into_iter()
            .filter_map(|(key, workload)| {
                let rollout = rollouts.get(key).copied();
                Some(Row { rollout, ..row(&index, key, workload, arguments.all)? })
            })
            .collect(),
        lumigoes: show::lumigoes(&index, &lumigoes),
        sources: show::sources(&index, |_| true),
        notes,
    };
    Ok((status, index))
}

/// The row of a workload; `None` if nobody has marked it and nothing of ours is on it, unless all are wanted.
fn row(index: &Index, key: &WorkloadKey, workload: &Workload, all: bool) -> Option<Row> {
    let verdict = index.plan(workload, Some(workload));
    let present = Present::of(workload, &verdict);
    let is_pressing = |finding: &Finding| finding.reason.severity() > Severity::Info;
    let counts = verdict.marked.state == GateState::Holds
        || workload.pod.containers.iter().any(epiphyte_plan::Container::is_ours)
        || verdict.findings.iter().any(is_pressing);
    let details = index.details(key).map(|fact| &fact.details.containers);
    let mut languages: Vec<String> = Vec::new();
    for language in details.into_iter().flatten().map(|seen| seen.language.to_string()) {
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    (all || counts).then(|| Row {
        namespace: key.namespace.to_string(),
        kind: key.kind.as_str(),
        name: key.name.to_string(),
        state: present.state,
        delivery: present.delivery().or(verdict.delivery.map(epiphyte_plan::Delivery::as_str)),
        languages,
        why: present.why,
        next: present.next,
        rollout: None,
    })
}
