//! Runs a program of the system to its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Runs a command and gives what it said, both streams in the order they were written; tells `at` line by line.
pub(crate) fn output(command: &mut Command, at: &mut dyn FnMut(&str)) -> Result<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |problem: String| Error::Program { command: line.clone(), problem };
    let mut run = || -> std::io::Result<_> {
        let (reader, writer) = std::io::pipe()?;
        let mut child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // Our ends for writing go, so that the stream ends when the program does.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut said = String::new();
        for line in BufReader::new(reader).lines() {
            let line = line?;
            at(&line);
            said.push_str(&line);
            said.push('\n');
        }
        Ok((child.wait()?, said))
    };
    match run() {
        Ok((status, said)) if status.success() => Ok(said),
        Ok((status, said)) => Err(failed(format!("failed with {status}:\n{}", said.trim_end()))),
        Err(error) => Err(failed(format!("cannot be run: {error}"))),
    }
}
