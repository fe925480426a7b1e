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

#[cfg(test)]
mod tests {
    use super::super::finding::About;
    use super::*;

    fn plain(audit: &Audit) -> String {
        anstream::adapter::strip_str(&render(audit)).to_string()
    }

    #[test]
    fn leftovers_come_first_and_then_what_was_not_looked_at() {
        let cart = About { kind: "Deployment", namespace: "shop", name: "cart" };
        let node = About { kind: "Node", namespace: "", name: "a" };
        let findings = vec![node.information("it remembers", "it forgets"), cart.leftover("a device", "take it off")];
        let audit = Audit::of(findings, vec!["not allowed to list pods".to_owned()]);
        let page = "left over: 1\n  Deployment shop/cart: a device\n    take it off\nnot looked at:\n  not allowed to list pods\n\
                    for information:\n  Node a: it remembers\n    it forgets\n";
        assert_eq!(plain(&audit), page);
    }

    #[test]
    fn nothing_left_is_said_where_there_is_only_information() {
        let node = About { kind: "Node", namespace: "", name: "a" };
        let audit = Audit::of(vec![node.information("it remembers", "it forgets")], Vec::new());
        assert!(plain(&audit).ends_with("nothing left\n"));
    }
}
