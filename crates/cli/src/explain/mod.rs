//! `epiphyte explain`: what is on a workload of the cluster, what will become of it, and why.

mod events;
mod render;
mod target;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use epiphyte_operator::index::{SourceTarget, WorkloadKey};
use epiphyte_operator::{DetailsDue, Due};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::audit;
use crate::cluster::{Cluster, Scope, Survey};
use crate::engine::EngineArguments;
use crate::show::{self, CollectorsReport, FindingReport, Format, LumigoReport, Present, Report, Seen, SourceReport};
use events::Told;
pub(crate) use events::events;
use target::Target;
pub(crate) use target::resource;

/// Explain why a workload of the cluster is, or is not, instrumented, and what comes next.
///
/// Asks the API server for what the operator goes by, and decides with the operator's own engine; the operator itself is
/// not asked, nor needed. Nothing is written.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte explain deployment/shop -n prod
  kubectl epiphyte explain sts/orders -n prod -o json

JSON: what `epiphyte preview` says of a workload, and present {state, generation, containers[] {name, delivery, devices[]},
  why {reason, severity, message, about}}, due {surgery, details}, renewal {reason, severity, message, about} (what reaches
  the workload at its next template change), collectors {reason, severity, message, about, graceOverAt, groups[] {name, ready,
  since, message}}, lumigo {namespace, name, active, reason, message} (the one that counts),
  conditions[], events[] {time, type, reason, message}, sources[], notes[].

Exit status: 0; 1 if the workload is not there or the API server cannot be asked; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// The workload, such as deployment/shop; the kind in any case, singular, plural or short.
    #[arg(value_name = "KIND/NAME")]
    target: Target,
    /// Namespace of the workload; that of the kubeconfig's context by default.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    engine: EngineArguments,
}

/// All that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    #[serde(flatten)]
    report: Report,
    present: Present,
    due: Ahead,
    /// What reaches the workload at its next template change; `null` if nothing.
    renewal: Option<FindingReport>,
    /// The collectors, whose readiness is the third condition of the `device` delivery.
    collectors: CollectorsReport,
    /// The Lumigo that counts in the namespace.
    lumigo: Option<LumigoReport>,
    /// Conditions of the workload's `InstrumentedApplication`, as they stand.
    conditions: Vec<Value>,
    events: Vec<Told>,
    sources: Vec<SourceReport>,
    notes: Vec<String>,
}

/// What the operator does next.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ahead {
    /// Whether the pod template is going to be changed.
    surgery: bool,
    /// What happens to the `InstrumentedApplication`: `nothing`, `ask`, `askAgain`, `delete`, `adopt` or `status`.
    details: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let explanation = runtime.block_on(explain(arguments))?;
    show::print(&match arguments.output {
        Format::Text => render::render(&explanation),
        Format::Json => show::json(&explanation)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn explain(arguments: &Arguments) -> anyhow::Result<Explanation> {
    let Arguments { target, engine, .. } = arguments;
    let cluster = Cluster::of_person().await?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let Some(object) = cluster.get(&target.resource(), Some(&namespace), &target.name).await? else {
        bail!("there is no {} {} in namespace {namespace}", target.kind, target.name);
    };
    let seen = Seen::read(target.kind, object)?;
    let workload = &seen.workload;
    let key = WorkloadKey::of(workload);

    let system_namespace = audit::system_namespace(&cluster, &engine.system_namespace).await?;
    let mut survey = Survey::of(&cluster, engine, &system_namespace, Scope::Workload(&key)).await?;
    survey.index.apply_workload(workload.clone());
    let told = events::events(&cluster, &namespace, &workload.uid).await;
    let events = survey.noted(told)?.unwrap_or_default();

    let Survey { index, details, lumigoes, notes } = survey;
    let mut report = seen.report(&index)?;
    let present = Present::of(workload, &seen.plan(&index));
    if !present.next.is_empty() && !report.next.contains(&present.next) {
        report.next.push(present.next);
    }
    let renewal = seen.renewal(&index)?;
    report.next.extend(renewal.as_ref().map(|finding| finding.reason.next_step()));
    let names_it = |target: &SourceTarget| match target {
        SourceTarget::Workload(named) => *named == key,
        SourceTarget::Namespace => true,
        SourceTarget::UnknownKind(_) | SourceTarget::OtherNamespace(_) => false,
    };
    let sources = show::sources(&index, names_it);
    // A workload with a controller is not in the operator's index: nothing is ever due for it.
    let due = if workload.controlled { Due::default() } else { Due::of(&index, workload) };
    Ok(Explanation {
        report,
        present,
        renewal: renewal.as_ref().map(FindingReport::from),
        collectors: CollectorsReport::of(&index, Timestamp::now()),
        lumigo: show::counting_lumigo(&index, &lumigoes, &namespace),
        due: Ahead { surgery: due.surgery, details: word(due.details) },
        conditions: details.as_ref().and_then(conditions).unwrap_or_default(),
        events,
        sources,
        notes,
    })
}

fn conditions(details: &Value) -> Option<Vec<Value>> {
    Some(details.pointer("/status/conditions")?.as_array()?.clone())
}

const fn word(due: DetailsDue) -> &'static str {
    match due {
        DetailsDue::Nothing => "nothing",
        DetailsDue::Ask => "ask",
        DetailsDue::AskAgain => "askAgain",
        DetailsDue::Delete => "delete",
        DetailsDue::Adopt => "adopt",
        DetailsDue::Status => "status",
    }
}
