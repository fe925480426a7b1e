//! `epiphyte status --watch`: the table in its place on a terminal, and elsewhere a line for each change.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use console::Term;

use super::render::{numbers, render};
use super::{Arguments, Row, Status, status};
use crate::cluster::Cluster;
use crate::show;

/// The least time between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// A look at a large cluster takes time of its API server: what is left to it is so many times as much.
const LEISURE: u32 = 5;

/// Looks again and again until Ctrl-C. What goes wrong at the first look is an error; later it is told, and looked again.
pub(super) async fn watch(cluster: &Cluster, arguments: &Arguments) -> anyhow::Result<()> {
    let interrupted = tokio::signal::ctrl_c();
    tokio::select! {
        interrupted = interrupted => interrupted.context("cannot wait for Ctrl-C"),
        ended = looks(cluster, arguments) => ended,
    }
}

async fn looks(cluster: &Cluster, arguments: &Arguments) -> anyhow::Result<()> {
    let mut view = View::new();
    let start = Instant::now();
    view.show(&status(cluster, arguments).await?, arguments.all)?;
    let mut took = start.elapsed();
    loop {
        tokio::time::sleep(PERIOD.max(took * LEISURE)).await;
        let start = Instant::now();
        match status(cluster, arguments).await {
            Ok(status) => view.show(&status, arguments.all)?,
            Err(error) => view.complain(&format!("{error:#}"))?,
        }
        took = start.elapsed();
    }
}

/// Where it is shown.
enum View {
    Terminal {
        term: Term,
        /// Lines that were drawn last.
        lines: usize,
        /// The page without complaints that was drawn last.
        page: String,
    },
    Lines {
        /// What was told last of each workload, Lumigo and so on, by its name.
        told: BTreeMap<String, String>,
        /// What was complained of last.
        complaint: String,
    },
}

impl View {
    fn new() -> Self {
        let term = Term::stdout();
        if term.is_term() {
            Self::Terminal { term, lines: 0, page: String::new() }
        } else {
            Self::Lines { told: BTreeMap::new(), complaint: String::new() }
        }
    }

    fn show(&mut self, status: &Status, all: bool) -> anyhow::Result<()> {
        match self {
            Self::Terminal { term, lines, page } => {
                *page = render(status, all);
                *lines = draw(term, *lines, page)?;
            }
            Self::Lines { told, complaint } => {
                complaint.clear();
                let now = facts(status);
                show::print(&changes(told, &now))?;
                *told = now;
            }
        }
        Ok(())
    }

    /// Says why there was no look; what was shown stays.
    fn complain(&mut self, why: &str) -> anyhow::Result<()> {
        match self {
            Self::Terminal { term, lines, page } => {
                *lines = draw(term, *lines, &format!("{page}\nnote: {why}; trying again\n"))?;
            }
            Self::Lines { complaint, .. } if complaint == why => {}
            Self::Lines { complaint, .. } => {
                show::print(&format!("note: {why}; trying again\n"))?;
                *complaint = why.to_owned();
            }
        }
        Ok(())
    }
}

/// Draws a page over the one before; gives how many lines it has. What does not fit is left out, since a line that has left
/// the screen cannot be drawn over.
fn draw(term: &mut Term, before: usize, page: &str) -> anyhow::Result<usize> {
    let (height, width) = term.size();
    let plain = if console::colors_enabled() { None } else { Some(console::strip_ansi_codes(page)) };
    let page = plain.as_deref().unwrap_or(page);
    let fits = usize::from(height).saturating_sub(2);
    let all: Vec<&str> = page.lines().collect();
    let shown = all.iter().take(if all.len() > fits { fits.saturating_sub(1) } else { fits });
    let mut lines: Vec<String> =
        shown.map(|line| console::truncate_str(line, usize::from(width), "…").into_owned()).collect();
    if all.len() > lines.len() {
        lines.push(format!("… {} more lines", all.len() - lines.len()));
    }
    term.clear_last_lines(before).context("cannot draw")?;
    term.write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())
        .context("cannot draw")?;
    term.flush().context("cannot draw")?;
    Ok(lines.len())
}

/// All that is told, each under a name.
fn facts(status: &Status) -> BTreeMap<String, String> {
    let workloads =
        status.workloads.iter().map(|row| (format!("{} {}/{}", row.kind, row.namespace, row.name), of(row)));
    let lumigoes = status.lumigoes.iter().map(|it| {
        let state = if it.active { "active" } else { "not active" };
        let said = format!("{state}, {} injected, {}", it.injected.unwrap_or_default(), it.reason);
        (format!("Lumigo {}/{}", it.namespace, it.name), said)
    });
    let whole = [
        ("collectors".to_owned(), status.collectors.reason().to_owned()),
        ("nodes".to_owned(), format!("{} of {} offer devices", status.nodes.offering, status.nodes.total)),
        ("uninstalling".to_owned(), if status.uninstalling { "yes" } else { "no" }.to_owned()),
    ];
    whole.into_iter().chain(workloads).chain(lumigoes).collect()
}

fn of(row: &Row) -> String {
    let by = row.delivery.map(|delivery| format!(" ({delivery})")).unwrap_or_default();
    let rollout = row.rollout.filter(|it| it.under_way).map(|it| format!(", {}", numbers(it))).unwrap_or_default();
    format!("{}{by}, {}{rollout}", row.state, row.why.reason)
}

/// A line for each difference.
fn changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    let gone = before.keys().filter(|name| !now.contains_key(*name)).map(|name| format!("{name}: gone\n"));
    let told = now.iter().filter(|(name, said)| before.get(*name) != Some(said));
    told.map(|(name, said)| format!("{name}: {said}\n")).chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: &[(&str, &str)]) -> BTreeMap<String, String> {
        facts.iter().map(|(name, said)| ((*name).to_owned(), (*said).to_owned())).collect()
    }

    #[test]
    fn what_changed_came_or_went_is_a_line_and_what_stayed_is_none() {
        let before = told(&[("a", "off"), ("b", "on"), ("c", "on")]);
        let now = told(&[("a", "on"), ("c", "on"), ("d", "off")]);
        assert_eq!(changes(&before, &now), "a: on\nd: off\nb: gone\n");
        assert_eq!(changes(&now, &now), "");
    }
}
