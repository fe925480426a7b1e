//! `cargo xtask test`: every test there is, with a summary at the end.

use std::ffi::OsString;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;
use epiphyte_testbed::image;

use crate::images::{Image, build as build_images};
use crate::program::{self, Profile};
use crate::repository::cargo;
use crate::step::{Outcome, Step, headline, say};
use crate::summary::Summary;
use crate::{agents, command, musl};

/// Tests that run at once on a large machine. A system test has a control plane of its own, which takes 700 MB.
const MOST_AT_ONCE: usize = 4;

/// Builds what the tests need, runs them, sums up.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let started = Instant::now();
    headline("Building");
    program::kubernetes()?;
    let images = prepare()?;
    build(arguments)?;

    headline("Testing");
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"]).args(scope(arguments)).args(arguments);
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = available_parallelism().map_or(1, usize::from);
        test.env("RUST_TEST_THREADS", cores.clamp(2, MOST_AT_ONCE).to_string());
    }
    test.envs(images.map(|folder| (image::FOLDER, folder)));
    // Where there is none, the tests that need one say so.
    test.envs(musl::path().ok().map(|path| ("PATH", path)));
    let (mut child, lines) = command::start(test)?;
    let mut summary = Summary::default();
    for line in lines.lines() {
        let line = line.context("cannot read what the tests say")?;
        summary.read(&console::strip_ansi_codes(&line));
        say(&line);
    }
    let status = child.wait().context("cannot wait for the tests")?;

    headline("Summary");
    say(summary.table());
    say(format!("{} in {:.0} s", summary.total(), started.elapsed().as_secs_f64()));
    if !status.success() {
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
