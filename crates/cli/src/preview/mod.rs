//! `epiphyte preview`: what the operator would do to manifests, without a cluster.

mod assume;
mod documents;
mod files;
mod objects;
mod pile;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::engine::EngineArguments;
use crate::show::{self, Format, Report, SourceReport, text};
use assume::Assumption;
use documents::Place;
use objects::Unread;
use pile::{Assumptions, Pile};

/// Show what Epiphyte would do to the workloads of manifests, and why. Needs no cluster.
///
/// Reads any mix of manifests: several documents in a file, lists, the output of `helm template` and `kubectl get -o yaml`,
/// JSON. The marks, Sources, InstrumentedApplications, CollectorsGroups, Lumigoes, Namespaces and Nodes among them are what
/// the decision goes by. Decides and edits with the operator's own engine.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte preview -f shop.yaml --assume app=java --assume-collectors-ready
  helm template shop ./chart | epiphyte preview -f - -n shop
  kubectl get deployments,sources,instrumentedapplications -o yaml | epiphyte preview -f - -o json

JSON: workloads[] {kind, namespace, name, owner, file, document, line, item, verdict, delivery,
  containers[] {name, verdict, device, reason, severity, message, about, trace[]},
  trace[] {reason, severity, message, about}, next[], patch[]},
  sources[] {namespace, name, reason, severity, message, about, next}, notes[],
  unread[] {file, document, line, message}, summary {workloads, on, off, keep, unread}.

Exit status: 0; 1 if something could not be read; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// File, directory (with all *.yaml, *.yml and *.json below it) or - for standard input; may be given again.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", required = true)]
    filenames: Vec<PathBuf>,
    /// Take it that a container runs a program in a language, where no runtime details tell: NAME is a container, a
    /// workload or WORKLOAD/CONTAINER; may be given again.
    #[arg(long, value_name = "NAME=LANGUAGE")]
    assume: Vec<Assumption>,
    /// Take it that the collectors are ready.
    #[arg(long)]
    assume_collectors_ready: bool,
    /// The namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    engine: EngineArguments,
}

/// All that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    workloads: Vec<Found>,
    sources: Vec<SourceReport>,
    /// What was assumed where the files do not say.
    notes: Vec<String>,
    unread: Vec<Unread>,
    summary: Summary,
}

/// A workload and where it was found.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    report: Report,
}

/// How many workloads have which verdict, and how many documents could not be read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    workloads: usize,
    on: usize,
    off: usize,
    keep: usize,
    unread: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let settings = arguments.engine.settings()?;
    let (mut objects, mut unread) = (Vec::new(), Vec::new());
    for file in files::read(&arguments.filenames) {
        objects::objects(file, &mut objects, &mut unread);
    }
    let assumptions = Assumptions {
        namespace: &arguments.namespace,
        languages: &arguments.assume,
        collectors_ready: arguments.assume_collectors_ready,
    };
    let Pile { index, workloads, notes, .. } =
        Pile::of(objects, &assumptions, settings, &arguments.engine.system_namespace, &mut unread);
    let mut found = Vec::with_capacity(workloads.len());
    for (place, seen) in workloads {
        match seen.report(&index) {
            Ok(report) => found.push(Found { place, report }),
            Err(error) => unread.push(Unread::at(&place, error)),
        }
    }
    let summary = summary(&found, &unread);
    let preview = Preview { workloads: found, sources: show::sources(&index, |_| true), notes, unread, summary };
    show::print(&match arguments.output {
        Format::Text => render(&preview),
        Format::Json => show::json(&preview)?,
    })?;
    Ok(if preview.unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(found: &[Found], unread: &[Unread]) -> Summary {
    let count = |verdict| found.iter().filter(|it| it.report.verdict == verdict).count();
    Summary { workloads: found.len(), on: count("on"), off: count("off"), keep: count("keep"), unread: unread.len() }
}

fn render(preview: &Preview) -> String {
    let mut page = String::new();
    for Found { place, report } in &preview.workloads {
        let item = place.item.map(|item| format!(", item {item}")).unwrap_or_default();
        page += &text::header(report, &format!("{}:{}{item}", place.file, place.document));
        page += &text::verdict(report);
        page += &text::trace(report);
        page += &text::next(&report.next);
        page += &text::change(report);
        page.push('\n');
    }
    page += &text::sources(&preview.sources);
    let notes = preview.notes.iter().map(|note| format!("note: {note}\n"));
    let unread = preview.unread.iter().map(|unread| format!("{} {unread}\n", text::coloured("-", "cannot read")));
    page.extend(notes.chain(unread));
    let Summary { workloads, on, off, keep, unread } = preview.summary;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    page += &format!("{workloads} workload{}: {on} on, {off} off, {keep} keep", plural(workloads));
    if unread > 0 {
        page += &format!("; {unread} document{} could not be read", plural(unread));
    }
    page.push('\n');
    page
}
