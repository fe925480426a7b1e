//! Builds programs of this repository.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::command;
use crate::repository::{self, cargo};
use crate::step::{Outcome, Step};

/// How programs are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Like a release, but in a fraction of the time.
    Quick,
    /// As they are shipped.
    Release,
    /// As the preload library is shipped.
    Injector,
}

impl Profile {
    /// Its name in the workspace's manifest, and of its folder.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Release => "release",
            Self::Injector => "injector",
        }
    }
}

/// Builds Kubernetes, where that has not been done.
pub fn kubernetes() -> Result<()> {
    let step = Step::start("Kubernetes");
    epiphyte_testbed::programs::kubernetes()?;
    step.end(Outcome::Ok, epiphyte_testbed::programs::KUBERNETES_VERSION);
    Ok(())
}

/// Builds the programs of some crates and returns the folder that they are in.
pub fn build(crates: &[&str], profile: Profile) -> Result<PathBuf> {
    let profile = profile.as_str();
    let mut step = Step::start(crates.join(", "));
    let mut build = cargo();
    build.args(["build", "--profile", profile]);
    build.args(crates.iter().flat_map(|name| ["--package", name]));
    let built = command::run(&mut step, build);
    step.end_as(&built);
    built.with_context(|| format!("{} cannot be built", crates.join(", ")))?;
    Ok(repository::target_folder()?.join(profile))
}

/// Builds the programs of a crate so that they need nothing where they run, not even a C library; returns the folder that
/// they are in.
pub fn build_static(step: &mut Step, name: &str, profile: Profile) -> Result<PathBuf> {
    let profile = profile.as_str();
    let target = repository::host()?;
    let mut build = cargo();
    // Named as a target, so that what runs while building is linked as ever.
    build.args(["build", "--profile", profile, "--package", name, "--target", &target, "--config"]);
    build.arg(format!("target.{target}.rustflags = ['-C', 'target-feature=+crt-static']"));
    command::run(step, build).with_context(|| format!("{name} cannot be built"))?;
    Ok(repository::target_folder()?.join(target).join(profile))
}
