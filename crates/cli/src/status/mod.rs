//! `epiphyte status`: workloads, Lumigoes and their states at a glance.

mod render;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::{Device, Severity, WorkloadKind};
use epiphyte_operator::index::{Index, WorkloadKey};
use epiphyte_plan::{Finding, GateState, Manifest, Workload};
use jiff::Timestamp;
use serde::Serialize;

use crate::audit;
use crate::cluster::{Cluster, Scope, Survey};
use crate::engine::EngineArguments;
use crate::explain::resource;
use crate::show::{self, CollectorsReport, FindingReport, Format, LumigoReport, Present, SourceReport};

/// Show the workloads that are marked or instrumented, the Lumigoes, and their states, at a glance.
///
/// Asks the API server for what the operator goes by, and decides with the operator's own engine. Nothing is written.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte status
  kubectl epiphyte status -n shop --all
  epiphyte status -o json | jq '.workloads[] | select(.severity == \"warning\")'

States: on (every container is instrumented), partly (some are), waiting (something is awaited that comes without help),
  keep (stays as it is), off. `epiphyte explain` says more of a single workload.

JSON: collectors {reason, severity, message, about, graceOverAt, groups[] {name, ready, since, message}},
  nodes {total, offering}, uninstalling,
  workloads[] {namespace, kind, name, state, delivery, languages[], reason, severity, message, about, next},
  lumigoes[] {namespace, name, active, reason, message, injected},
  sources[] {namespace, name, reason, severity, message, about, next}, notes[].

Exit status: 0; 1 if the API server cannot be asked; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// Only this namespace; all namespaces by default.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Every workload, also those that nobody has marked.
    #[arg(long)]
    all: bool,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    engine: EngineArguments,
}

/// All that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    collectors: CollectorsReport,
    nodes: Nodes,
    /// Whether Epiphyte is being uninstalled.
    uninstalling: bool,
    workloads: Vec<Row>,
    lumigoes: Vec<LumigoReport>,
    sources: Vec<SourceReport>,
    notes: Vec<String>,
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
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let status = runtime.block_on(status(arguments))?;
    show::print(&match arguments.output {
        Format::Text => render::render(&status, arguments.all),
        Format::Json => show::json(&status)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn status(arguments: &Arguments) -> anyhow::Result<Status> {
    let cluster = Cluster::of_person().await?;
    let namespace = arguments.namespace.as_deref();
    let scope = namespace.map_or(Scope::Everywhere, Scope::Namespace);
    let engine = &arguments.engine;
    let system_namespace = audit::system_namespace(&cluster, &engine.system_namespace).await?;
    let mut survey = Survey::of(&cluster, engine, &system_namespace, scope).await?;
    for kind in WorkloadKind::ALL {
        let index = &mut survey.index;
        let apply = |manifest: Manifest| {
            index.apply_workload(manifest.into_workload(kind));
        };
        let listed = cluster.list(&resource(kind), namespace, None, apply).await;
        survey.noted(listed)?;
    }
    let Survey { index, lumigoes, notes, .. } = survey;
    let mut workloads: Vec<_> = index.workloads().collect();
    workloads.sort_unstable_by_key(|(key, _)| *key);
    let offers =
        |node: &&epiphyte_plan::Node| node.ready && Device::ALL.iter().any(|device| node.devices.contains(*device));
    Ok(Status {
        collectors: CollectorsReport::of(&index, Timestamp::now()),
        nodes: Nodes { total: index.nodes().len(), offering: index.nodes().iter().filter(offers).count() },
        uninstalling: index.is_uninstalling(),
        workloads: workloads
            .into_iter()
            .filter_map(|(key, workload)| row(&index, key, workload, arguments.all))
            .collect(),
        lumigoes: show::lumigoes(&index, &lumigoes),
        sources: show::sources(&index, |_| true),
        notes,
    })
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
    })
}
