//! The report of an updater, for people.

use epiphyte_updater::{ObjectChange, Plan, Report, ValueChange, Verb};
use serde_json::Value;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    if let Some(plan) = &report.plan {
        text.push_str(&of_plan(plan));
        text.push('\n');
    }
    text.push_str(&format!("{}: {}\n", report.outcome, report.line()));
    if !report.next.is_empty() {
        text.push_str(&format!("next: {}\n", report.next));
    }
    text
}

fn of_plan(plan: &Plan) -> String {
    let Plan { chart, from, to, digest, signed_by, kept, unknown, values, objects } = plan;
    let signed = signed_by.as_ref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
    let mut text = format!("{chart} {from} to {to} ({digest}{signed})\n");
    let mut list = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}:\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    list("Values that were set and are kept", kept.clone());
    list("Values that were set and that the next chart does not mention", unknown.clone());
    list("Values that nobody set and whose default changes", values.iter().map(value).collect());
    list("Objects that change", objects.iter().map(object).collect());
    for object in objects.iter().filter(|object| !object.diff.is_empty()) {
        text.push_str(&format!("\n{}\n{}", name(object), object.diff));
    }
    text
}

fn value(change: &ValueChange) -> String {
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!("{}: {} to {}", change.path, shown(&change.before), shown(&change.after))
}

fn object(change: &ObjectChange) -> String {
    let verb = match change.verb {
        Verb::Create => "create",
        Verb::Change => "change",
        Verb::Delete => "delete",
    };
    format!("{verb} {}", name(change))
}

fn name(object: &ObjectChange) -> String {
    let ObjectChange { kind, namespace, name, .. } = object;
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
