//! An explanation, for people.

use serde_json::Value;

use super::{Ahead, Explanation};
use crate::show::{DIM, Present, PresentContainer, text};

/// The page.
pub(super) fn render(explanation: &Explanation) -> String {
    let Explanation { report, present, due, renewal, collectors, lumigo, conditions, events, sources, notes } =
        explanation;
    // The other delivery does not wait for them.
    let is_waiting =
        !collectors.is_ready() && (report.delivery == Some("device") || present.delivery() == Some("device"));
    let told = events.iter().map(|event| {
        let time = event.time.as_deref().unwrap_or_default();
        let word = if event.r#type == "Warning" { "warning" } else { "" };
        format!("{DIM}{time}{DIM:#}  {}: {}", text::coloured(word, &event.reason), event.message)
    });
    let mut page = text::header(report, "");
    page += &now(present);
    page += &text::verdict(report);
    page += &text::trace(report);
    page += &text::section("collectors", if is_waiting { collectors.lines() } else { Vec::new() });
    page += &text::section("lumigo", lumigo.iter().map(text::lumigo));
    page += &text::section("conditions", conditions.iter().map(condition));
    page += &text::section("events", told);
    page += &text::section("ahead", ahead(due).into_iter().chain(renewal.as_ref().map(text::finding)));
    page += &text::next(&report.next);
    page += &text::change(report);
    if !sources.is_empty() || !notes.is_empty() {
        page.push('\n');
    }
    page += &text::sources(sources);
    page.extend(notes.iter().map(|note| format!("note: {note}\n")));
    page
}

fn now(Present { state, generation, containers, why, .. }: &Present) -> String {
    let has = |PresentContainer { name, delivery, devices }: &PresentContainer| match delivery {
        Some(delivery) if devices.is_empty() => format!("{name} by {delivery}"),
        Some(delivery) => format!("{name} by {delivery} {}", devices.join(", ")),
        None if devices.is_empty() => format!("{name} not"),
        None => format!("{name} by {}, not as this version does it", devices.join(", ")),
    };
    let containers = containers.iter().map(has).collect::<Vec<_>>().join("; ");
    let state = text::coloured(state, state);
    format!("  now: {state}, generation {generation} ({containers})\n    {}\n", text::finding(why))
}

fn condition(condition: &Value) -> String {
    let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
    format!(
        "{} {} since {}, {}: {}",
        text("type"),
        text("status"),
        text("lastTransitionTime"),
        text("reason"),
        text("message")
    )
}

/// What the operator does next, in words.
fn ahead(due: &Ahead) -> Vec<String> {
    let surgery = due.surgery.then_some("The pod template will be changed as shown below.");
    let details = match due.details {
        "ask" => Some("Node agents will be asked what runs in the containers, by an InstrumentedApplication."),
        "askAgain" => Some("Node agents will be asked again: the images of the template have changed."),
        "delete" => Some("The InstrumentedApplication will be deleted: the mark is gone."),
        "adopt" | "status" => Some("The InstrumentedApplication will be brought up to date."),
        _ => None,
    };
    surgery.into_iter().chain(details).map(str::to_owned).collect()
}
