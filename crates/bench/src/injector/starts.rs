//! How long a start takes with the library and without, in turns.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::PART;
use super::stage::{Stage, Subject};
use crate::report::{Figure, Row};

/// Starts of each, of which the fastest counts: what else goes on on the machine only ever adds.
const ROUNDS: usize = 1000;

/// What the library may add, in seconds.
const BUDGET: f64 = 100e-6;

/// What a start takes, and what the library adds to it.
pub(super) fn rows(stage: &Stage, subject: &Subject) -> Result<Vec<Row>> {
    let title = subject.title;
    ensure!(instruments(stage, subject)? == subject.is_served, "{title} is not treated as it should be");
    let (mut without, mut with) = (stage.without(subject), stage.with(subject));
    let (mut shortest, mut shortest_with) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        shortest = shortest.min(start(&mut without)?);
        shortest_with = shortest_with.min(start(&mut with)?);
    }
    let start = subject.end.start();
    Ok(vec![
        Row::new(PART, format!("{title}: {start} without it"), Figure::Seconds(shortest)),
        Row::new(PART, format!("{title}: added to {start}"), Figure::Seconds(shortest_with - shortest))
            .at_most(Figure::Seconds(BUDGET))
            .peers("0.3 ms"),
    ])
}

/// Whether the library says that it instruments the program.
fn instruments(stage: &Stage, subject: &Subject) -> Result<bool> {
    let said = stage.with(subject).env("EPIPHYTE_INJECTOR_LOG", "1").stderr(Stdio::piped()).output()?;
    Ok(String::from_utf8_lossy(&said.stderr).contains(": instrumented"))
}

/// The time from a start to the end, in seconds.
fn start(command: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let status = command.status().with_context(|| command.get_program().display().to_string())?;
    let took = began.elapsed().as_secs_f64();
    ensure!(status.success(), "{} ended with {status}", command.get_program().display());
    Ok(took)
}
