//! Runs a program inside a step: quietly while it goes well, with all that it said when it fails.

use std::io::{BufRead as _, BufReader, PipeReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::step::Step;

/// Whether the `PATH` has a program.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Runs a command and shows its last line beside the step.
///
/// # Errors
/// It cannot be run, or it fails; the error is what it said.
pub fn run(step: &mut Step, command: Command) -> Result<()> {
    let (mut child, lines) = start(command)?;
    let mut said = String::new();
    for line in lines.lines() {
        let line = line.context("cannot read what the program says")?;
        step.at(&line);
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().context("cannot wait for the program")?;
    if !status.success() {
        bail!("{status}\n{}", said.trim_end());
    }
    Ok(())
}

/// Starts a command whose standard output and error come as one stream, in the order they were written.
///
/// # Errors
/// It cannot be run.
pub fn start(mut command: Command) -> Result<(Child, BufReader<PipeReader>)> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    if console::colors_enabled() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let program = command.get_program().to_owned();
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
    let child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    // The command goes here, and with it our ends for writing; so the stream ends when the program does.
    Ok((child, BufReader::new(reader)))
}
