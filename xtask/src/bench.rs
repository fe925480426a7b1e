//! `cargo xtask bench`: builds the benchmarks and the program that they measure like a release, and runs them.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::repository::{cargo, target_folder};

/// Runs the benchmarks with the arguments given.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--profile", "quick", "--package", "epiphyte", "--package", "epiphyte-bench"]);
    let status = build.status().context("cannot run cargo")?;
    ensure!(status.success(), "the benchmarks cannot be built");
    let mut bench = Command::new(target_folder()?.join("quick/epiphyte-bench"));
    let status = bench.args(arguments).status().context("cannot run the benchmarks")?;
    ensure!(status.success(), "the benchmarks failed with {status}");
    Ok(())
}
