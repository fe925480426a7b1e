//! The status, for people.

use comfy_table::{Table, presets};

use super::{Nodes, Row, Status};
use crate::show::{LumigoReport, Rollout, text};

/// Characters of a bar.
const WIDTH: i64 = 10;

/// The page; `all` tells whether every workload was asked for.
pub(crate) fn render(status: &Status, all: bool) -> String {
    let Status { collectors, nodes: Nodes { total, offering }, uninstalling, workloads, lumigoes, sources, notes } =
        status;
    let mut page = format!("collectors:   {}\n", collectors.lines().join("\n              "));
    page += &format!("nodes:        {offering} of {total} offer devices\n");
    page += &format!("uninstalling: {}\n\n", if *uninstalling { "yes" } else { "no" });
    match (workloads.is_empty(), all) {
        (false, _) => page += &table(workloads),
        (true, true) => page += "There are no workloads.\n",
        (true, false) => page += "No workload is marked or instrumented; --all shows every one.\n",
    }
    if !lumigoes.is_empty() {
        page += &format!("\n{}", lumigo_table(lumigoes));
    }
    if !sources.is_empty() || !notes.is_empty() {
        page.push('\n');
    }
    page += &text::sources(sources);
    page.extend(notes.iter().map(|note| format!("note: {note}\n")));
    page
}

/// Rollouts have a column while there are any.
fn table(workloads: &[Row]) -> String {
    let rolls = workloads.iter().any(|row| row.rollout.is_some_and(|it| it.under_way));
    let mut table = Table::new();
    let header = ["NAMESPACE", "KIND", "NAME", "STATE", "BY", "LANGUAGES", "REASON"];
    table.load_style(presets::NOTHING).set_header(header.into_iter().chain(rolls.then_some("ROLLOUT")));
    for row in workloads {
        let (delivery, languages) = (row.delivery.unwrap_or("-"), or_dash(row.languages.join(",")));
        let cells = [&*row.namespace, row.kind, &row.name, row.state, delivery, &languages, row.why.reason];
        let progress = rolls.then(|| row.rollout.filter(|it| it.under_way).map(bar).unwrap_or_default());
        table.add_row(cells.into_iter().map(str::to_owned).chain(progress));
    }
    finish(table)
}

/// How far a rollout is, drawn and in numbers.
fn bar(rollout: Rollout) -> String {
    let Rollout { wanted, updated, ready, .. } = rollout;
    // What is new and ready counts; what is new among those that are ready is not told, and is never more than both.
    let done = updated.min(ready).clamp(0, wanted.max(0));
    let filled = usize::try_from(done * WIDTH / wanted.max(1)).unwrap_or_default();
    let cell = |at: usize| if at < filled { '█' } else { '░' };
    let drawn: String = (0..usize::try_from(WIDTH).unwrap_or_default()).map(cell).collect();
    format!("{drawn} {}", numbers(rollout))
}

/// How far a rollout is.
pub(super) fn numbers(Rollout { wanted, updated, ready, .. }: Rollout) -> String {
    format!("{updated}/{wanted} updated, {ready}/{wanted} ready")
}

fn lumigo_table(lumigoes: &[LumigoReport]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["NAMESPACE", "LUMIGO", "ACTIVE", "INJECTED", "REASON", "MESSAGE"]);
    for LumigoReport { namespace, name, active, reason, message, injected } in lumigoes {
        let active = if *active { "yes" } else { "no" };
        table.add_row([namespace, name, active, &injected.unwrap_or_default().to_string(), reason, message]);
    }
    finish(table)
}

fn finish(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_pods_are_new_and_ready() {
        let of = |updated, ready| bar(Rollout { wanted: 4, updated, ready, under_way: true });
        assert_eq!(of(2, 4), "█████░░░░░ 2/4 updated, 4/4 ready");
        assert_eq!(of(4, 0), "░░░░░░░░░░ 4/4 updated, 0/4 ready");
        assert_eq!(of(5, 5), "██████████ 5/4 updated, 5/4 ready");
        let none = bar(Rollout { wanted: 0, updated: 0, ready: 1, under_way: true });
        assert_eq!(none, "░░░░░░░░░░ 0/0 updated, 1/0 ready");
    }
}
