//! A table that stays where it is and changes; where there is no terminal, a table whenever it has changed.

use console::{Term, style};

use super::seen::Service;
use crate::step::say;

/// The table.
pub struct View {
    terminal: Option<Term>,
    /// How many lines it has on the terminal.
    lines: usize,
    /// What it said last, spans aside.
    last: Vec<String>,
}

impl View {
    pub fn new() -> Self {
        Self { terminal: Some(Term::stdout()).filter(Term::is_term), lines: 0, last: Vec::new() }
    }

    /// Shows the services as they are now.
    pub fn show(&mut self, services: &[Service]) {
        let now = services.iter().map(|it| format!("{} {} {:?}", it.verdict, it.reason, it.first_span)).collect();
        if let Some(terminal) = &self.terminal {
            // A line too many is better than no demo.
            let _ = terminal.clear_last_lines(self.lines);
        } else if self.last == now {
            return;
        }
        self.last = now;
        let mut lines = vec![
            style(row(["workload", "verdict", "why", "found", "rollouts", "spans/min", "first span"]))
                .dim()
                .to_string(),
        ];
        lines.extend(services.iter().map(line));
        self.lines = lines.len();
        lines.iter().for_each(say);
        if self.terminal.is_none() {
            say("");
        }
    }

    /// Leaves the table as it is.
    pub fn end(self) {
        say("");
    }
}

fn line(service: &Service) -> String {
    let first = service.first_span.map(|first| format!("{:.1} s", first.as_secs_f64())).unwrap_or_default();
    let (rollouts, spans) = (service.rollouts.to_string(), service.spans.to_string());
    let verdict = if service.verdict.is_empty() { "?" } else { &service.verdict };
    let line = row([service.name, verdict, &service.reason, &service.runtime, &rollouts, &spans, &first]);
    if service.is_done() { style(line).green().to_string() } else { line }
}

fn row(cells: [&str; 7]) -> String {
    let [workload, verdict, why, found, rollouts, spans, first] = cells;
    format!("  {workload:<16} {verdict:<8} {why:<22} {found:<26} {rollouts:>8} {spans:>10} {first:>11}")
}
