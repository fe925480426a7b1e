//! `cargo xtask demo`: everything at work, told as a story and checked at every step.

mod cluster;
mod decisions;
mod market;

use anyhow::Result;

use crate::step::say;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Four services on a node, and their traces.
    Market,
    /// What the operator decides about many workloads, and why. Needs no node.
    Decisions,
}

/// How the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, when all is told.
    Once,
    /// On Ctrl-C, with the cluster there to be used until then.
    OnRequest,
}

/// Tells the story. Fails at the first thing that is not as it should be.
pub fn run(subject: Subject, ending: Ending) -> Result<()> {
    if subject == Subject::Decisions {
        return decisions::run(ending);
    }
    match epiphyte_testbed::no_node()? {
        None => market::run(ending),
        Some(why) => {
            say(format!("There can be no node here: {why}. What follows goes without, and so without telemetry."));
            decisions::run(ending)
        }
    }
}
