//! Builds programs of this repository.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::command;
use crate::repository::{self, cargo};
use crate::step::{Outcome, Step};

/// How programs are built.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Like a release, but in a fraction of the time.
    Quick,
    /// As they are shipped.
    Release,
}

/// Builds the programs of some crates and returns the folder that they are in.
pub fn build(crates: &[&str], profile: Profile) -> Result<PathBuf> {
    let profile = match profile {
        Profile::Quick => "quick",
        Profile::Release => "release",
    };
    let mut step = Step::start(crates.join(", "));
    let mut build = cargo();
    build.args(["build", "--profile", profile]);
    build.args(crates.iter().flat_map(|name| ["--package", name]));
    let built = command::run(&mut step, build);
    step.end(if built.is_ok() { Outcome::Ok } else { Outcome::Failed }, "");
    built.with_context(|| format!("{} cannot be built", crates.join(", ")))?;
    Ok(repository::target_folder()?.join(profile))
}
