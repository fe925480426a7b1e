//! Rendering for people. Colours are always written; printing takes them off where nobody sees them.

use std::fmt::Write as _;

use super::{BOLD, ContainerReport, DIM, FindingReport, LumigoReport, Report, SourceReport, colour_of};

/// The line that names a workload, and in brackets where it was found.
pub(crate) fn header(report: &Report, found: &str) -> String {
    let Report { kind, namespace, name, owner, .. } = report;
    let found = if found.is_empty() { String::new() } else { format!("  {DIM}({found}){DIM:#}") };
    let owner = owner.as_ref().map(|owner| format!("  {DIM}owned by {owner}{DIM:#}")).unwrap_or_default();
    format!("{BOLD}{kind} {namespace}/{name}{BOLD:#}{found}{owner}\n")
}

/// The verdict, and a line for each container.
pub(crate) fn verdict(report: &Report) -> String {
    let mut text = format!("  verdict: {}", coloured(report.verdict, report.verdict));
    if let Some(delivery) = report.delivery.filter(|_| report.verdict == "on") {
        let _ = write!(text, ", by {delivery}");
    }
    text.push('\n');
    let width = report.containers.iter().map(|container| container.name.len()).max().unwrap_or_default();
    for ContainerReport { name, verdict, settled, .. } in &report.containers {
        let word = coloured(verdict, &format!("{verdict:<4}"));
        let _ = writeln!(text, "    {name:<width$}  {word}  {}", finding(settled));
    }
    text
}

/// What was found on the way to the verdict.
pub(crate) fn trace(report: &Report) -> String {
    let of_workload = report.trace.iter().map(finding);
    let of_containers = report
        .containers
        .iter()
        .flat_map(|container| container.trace.iter().map(|it| format!("{}: {}", container.name, finding(it))));
    section("trace", of_workload.chain(of_containers))
}

/// What the reader can do.
pub(crate) fn next(steps: &[&'static str]) -> String {
    section("next", steps.iter().map(ToString::to_string))
}

/// The change of the manifest.
pub(crate) fn change(report: &Report) -> String {
    let line = |line: &str| coloured(line.get(..1).unwrap_or_default(), line);
    section("change", report.difference.lines().map(line))
}

/// Sources that count for less than they say.
pub(crate) fn sources(reports: &[SourceReport]) -> String {
    let mut text = String::new();
    for SourceReport { namespace, name, finding: why, next } in reports {
        let _ = writeln!(text, "{BOLD}Source {namespace}/{name}{BOLD:#}\n  {}\n  {next}\n", finding(why));
    }
    text
}

/// A Lumigo, and why it is active or not.
pub(crate) fn lumigo(LumigoReport { namespace, name, active, reason, message, .. }: &LumigoReport) -> String {
    let (word, state) = if *active { ("on", "active") } else { ("waiting", "not active") };
    format!("{namespace}/{name}: {}, {reason}: {message}", coloured(word, state))
}

/// Lines under a title, further in; nothing where there are none.
pub(crate) fn section(title: &str, lines: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        if text.is_empty() {
            let _ = writeln!(text, "  {title}:");
        }
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// The code, the sentence, and in brackets what it is about.
pub(crate) fn finding(FindingReport { reason, severity, message, about }: &FindingReport) -> String {
    let about = about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    format!("{}: {message}{about}", coloured(severity, reason))
}

/// Text in the colour of a word.
pub(crate) fn coloured(word: &str, text: &str) -> String {
    let colour = colour_of(word);
    format!("{colour}{text}{colour:#}")
}
