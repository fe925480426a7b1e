//! What came of uninstalling.

use std::fmt::Write as _;

use serde::Serialize;

use super::work::{Done, Stuck};
use crate::audit::{self, Audit};
use crate::show::text;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome {
    /// Nothing is left.
    Uninstalled,
    /// Everything was done that can be, and something is left.
    Incomplete,
    /// The time was over.
    TimedOut,
    /// Somebody stopped it.
    Interrupted,
    /// It could not go on.
    Failed,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) outcome: Outcome,
    /// Why it could not go on, or what it waited for last; empty if it was done.
    pub(super) why: String,
    /// What the reader can do; empty if nothing.
    pub(super) next: &'static str,
    #[serde(flatten)]
    pub(super) done: Done,
    /// What is left; none where nobody looked.
    pub(super) audit: Option<Audit>,
}

/// What the reader can do.
pub(super) const fn next(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Uninstalled => "",
        Outcome::Incomplete => {
            "What is left is listed above, each with what to do. Run the command again to have it looked at anew."
        }
        Outcome::TimedOut | Outcome::Interrupted | Outcome::Failed => {
            "What has been taken off stays off, and an operator that is alive goes on. Run the command again to resume, \
             with a longer --timeout if need be, or with --cancel to call it off."
        }
    }
}

impl Report {
    /// The page for people.
    pub(super) fn render(&self) -> String {
        let Self { outcome, why, next, done, audit } = self;
        let Done { workloads, restored, stuck, removed, hosts } = done;
        let headline = match outcome {
            Outcome::Uninstalled => text::coloured("on", "Epiphyte is uninstalled."),
            Outcome::Incomplete => text::coloured("warning", "Epiphyte is uninstalled, but for what is left."),
            Outcome::TimedOut => text::coloured("warning", &format!("Not done in time. Last: {why}")),
            Outcome::Interrupted => text::coloured("warning", &format!("Interrupted. Last: {why}")),
            Outcome::Failed => text::coloured("warning", &format!("Cannot go on: {why}")),
        };
        let mut page =
            format!("{headline}\n{restored} of {workloads} workloads restored, {} objects removed\n", removed.len());
        for Stuck { namespace, kind, name, why } in stuck {
            let _ = writeln!(page, "stuck: {kind} {namespace}/{name}: {why}");
        }
        for (node, why) in hosts {
            let _ = writeln!(page, "host folder of node {node} may be left: {why}");
        }
        page.extend(audit.as_ref().map(audit::render));
        if !next.is_empty() {
            let _ = writeln!(page, "{next}");
        }
        page
    }
}
