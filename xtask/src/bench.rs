//! `cargo xtask bench`: builds the benchmarks and what they measure, and runs them.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::program::{self, Profile};
use crate::repository::root;
use crate::step::headline;

/// Runs the benchmarks with the arguments given.
pub fn run(arguments: &[OsString]) -> Result<()> {
    headline("Building");
    let programs = program::build(&["epiphyte", "epiphyte-bench"], Profile::Release)?;
    headline("Measuring");
    let mut bench = Command::new(programs.join("epiphyte-bench"));
    let status = bench.args(arguments).current_dir(root()).status().context("cannot run the benchmarks")?;
    ensure!(status.success(), "the benchmarks failed with {status}");
    Ok(())
}
