//! `cargo xtask bench`: builds the benchmarks and what they measure, and runs them.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::program::{self, Profile};
use crate::repository::root;
use crate::step::{Step, headline};

/// Runs the benchmarks with the arguments given.
pub fn run(arguments: &[OsString]) -> Result<()> {
    headline("Building");
    let mut step = Step::start("epiphyte, static");
    let shipped = program::build_static(&mut step, "epiphyte", Profile::Release);
    step.end_as(&shipped);
    let shipped = shipped?;
    let library = program::build(&["epiphyte-injector"], Profile::Injector)?.join("libepiphyte_injector.so");
    let programs = program::build(&["epiphyte-bench"], Profile::Release)?;
    headline("Measuring");
    let mut bench = Command::new(programs.join("epiphyte-bench"));
    bench.arg("--program").arg(shipped.join("epiphyte")).arg("--library").arg(library);
    let status = bench.args(arguments).current_dir(root()).status().context("cannot run the benchmarks")?;
    ensure!(status.success(), "the benchmarks failed with {status}");
    Ok(())
}
