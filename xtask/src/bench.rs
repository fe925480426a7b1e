//! `cargo xtask bench`: builds the benchmarks like a release and runs them.

use std::ffi::OsString;

use anyhow::{Context as _, Result, ensure};

use crate::repository::cargo;

/// Runs the benchmarks with the arguments given.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let mut command = cargo();
    command
        .args(["run", "--profile", "quick", "--package", "epiphyte-bench", "--"])
        .args(arguments);
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the benchmarks failed with {status}");
    Ok(())
}
