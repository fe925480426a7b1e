//! The audit, for people.

use std::fmt::Write as _;

use super::finding::{Audit, Finding, Severity};
use crate::show::{BOLD, DIM, text};

/// The page: leftovers, then what could not be looked at, then information.
pub(crate) fn render(audit: &Audit) -> String {
    let of = |severity: Severity| audit.findings.iter().filter(move |it| it.severity == severity);
    let mut page = String::new();
    let leftovers = of(Severity::Leftover).count();
    if leftovers > 0 {
        let _ = writeln!(page, "{}", text::coloured("warning", &format!("left over: {leftovers}")));
        of(Severity::Leftover).for_each(|it| finding(&mut page, it));
    }
    if !audit.not_looked_at.is_empty() {
        let _ = writeln!(page, "{}", text::coloured("warning", "not looked at:"));
        for why in &audit.not_looked_at {
            let _ = writeln!(page, "  {why}");
        }
    }
    if of(Severity::Information).next().is_some() {
        let _ = writeln!(page, "{DIM}for information:{DIM:#}");
        of(Severity::Information).for_each(|it| finding(&mut page, it));
    }
    if audit.clean {
        let _ = writeln!(page, "{}", text::coloured("on", "nothing left"));
    }
    page
}

fn finding(page: &mut String, Finding { kind, namespace, name, what, next, .. }: &Finding) {
    let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
    let _ = writeln!(page, "  {BOLD}{kind} {place}{BOLD:#}: {what}\n    {DIM}{next}{DIM:#}");
}
