//! Writes the sources of the telemetry proxy's Collector from its manifest, by OpenTelemetry's own builder.

use std::process::Command;

use anyhow::{Context as _, Result};
use epiphyte_testbed::programs::GoProgram;

use crate::command;
use crate::repository::root;
use crate::step::Step;

/// The builder's package.
const BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder";

/// Writes `collector/otelcol`, whose `go.mod` and `go.sum` pin everything that is built in.
///
/// # Errors
/// The builder cannot be built, or does not take the manifest.
pub fn generate() -> Result<()> {
    let builder = GoProgram::new(root().join("tools/collector-builder"), "builder").package(BUILDER).build()?;
    let mut step = Step::start("the Collector's sources");
    let mut builder = Command::new(builder.join("builder"));
    builder.args(["--config", "manifest.yaml", "--skip-compilation"]).current_dir(root().join("collector"));
    let written = command::run(&mut step, builder);
    step.end_as(&written);
    written.context("the builder does not take the manifest")
}
