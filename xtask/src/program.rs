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
    /// As the preload library is shipped.
    Injector,
}

/// Builds the programs of some crates and returns the folder that they are in.
pub fn build(crates: &[&str], profile: Profile) -> Result<PathBuf> {
    let profile = match profile {
        Profile::Quick => "quick",
        Profile::Release => "release",
        Profile::Injector => "injector",
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

/// Builds the programs of a crate as they are shipped and so that they need nothing where they run, not even a C library;
/// returns the folder that they are in.
pub fn build_static(step: &mut Step, name: &str) -> Result<PathBuf> {
    let target = repository::host()?;
    let mut build = cargo();
    // Named as a target, so that what runs while building is linked as ever.
    build.args(["build", "--profile", "release", "--package", name, "--target", &target, "--config"]);
    build.arg(format!("target.{target}.rustflags = ['-C', 'target-feature=+crt-static']"));
    command::run(step, build).with_context(|| format!("{name} cannot be built"))?;
    Ok(repository::target_folder()?.join(target).join("release"))
}
