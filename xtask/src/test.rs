//! `cargo xtask test`: every test there is, with a summary at the end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use crate::images::{Image, build as build_images};
use crate::lanes::{Ended, Lanes};
use crate::program::{self, Profile};
use crate::repository::cargo;
use crate::step::{Outcome, Step, headline, say};
use crate::summary::Summary;
use crate::{agents, command};

/// Builds what the tests need, runs them, sums up.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let started = Instant::now();
    headline("Building");
    program::kubernetes()?;
    let images = prepare()?;
    build(arguments)?;

    headline("Testing");
    let lanes = match scope(arguments) {
        _ if arguments.is_empty() => Lanes::of_everything()?,
        everything => {
            let arguments = everything.map(OsString::from).into_iter().chain(arguments.iter().cloned());
            Lanes::of_one(arguments.collect())
        }
    };
    let Ended { lines, succeeded } = lanes.run(images.as_deref())?;
    let mut summary = Summary::default();
    lines.iter().for_each(|line| summary.read(&console::strip_ansi_codes(line)));

    headline("Summary");
    say(summary.table());
    say(format!("{} in {:.0} s", summary.total(), started.elapsed().as_secs_f64()));
    if !succeeded {
        bail!("the tests failed{}", summary.failures());
    }
    Ok(())
}

/// Builds agents and images; gives the folder of the latter. What cannot be had here is said, and its tests are skipped.
fn prepare() -> Result<Option<PathBuf>> {
    if let Some(tool) = agents::missing_tool() {
        let step = Step::start("agents and images");
        step.end(Outcome::Skipped, &format!("{tool} is not on the PATH; their tests are left out"));
        return Ok(None);
    }
    if let Some(why) = epiphyte_testbed::no_node()? {
        agents::folder()?;
        Step::start("images").end(Outcome::Skipped, &format!("{why}; the tests on a node are left out"));
        return Ok(None);
    }
    build_images(Image::value_variants(), Profile::Quick).map(Some)
}

/// Builds the tests in a step of its own, so that what they print is not lost among what the compiler does.
fn build(arguments: &[OsString]) -> Result<()> {
    let for_cargo = arguments.split(|argument| argument == "--").next().unwrap_or_default();
    let mut build = cargo();
    build.args(["test", "--no-run"]).args(scope(arguments)).args(for_cargo);
    let mut step = Step::start("tests");
    let built = command::run(&mut step, build);
    step.end_as(&built);
    built.context("the tests do not build")
}

/// Everything, unless the caller names crates.
fn scope(arguments: &[OsString]) -> Option<&'static str> {
    let names_crates = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        argument.starts_with("-p") || argument.starts_with("--package")
    };
    (!arguments.iter().take_while(|argument| *argument != "--").any(names_crates)).then_some("--workspace")
}
