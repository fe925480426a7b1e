//! The status, for people.

use comfy_table::{Table, presets};

use super::{Nodes, Row, Status};
use crate::show::{LumigoReport, text};

/// The page; `all` tells whether every workload was asked for.
pub(super) fn render(status: &Status, all: bool) -> String {
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

fn table(workloads: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["NAMESPACE", "KIND", "NAME", "STATE", "BY", "LANGUAGES", "REASON"]);
    for row in workloads {
        table.add_row([
            row.namespace.as_str(),
            row.kind,
            &row.name,
            row.state,
            row.delivery.unwrap_or("-"),
            &or_dash(row.languages.join(",")),
            row.why.reason,
        ]);
    }
    finish(table)
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
