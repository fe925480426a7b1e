//! A program under test that lives no longer than its control plane.

use std::path::PathBuf;
use std::process::Command;

use super::ControlPlane;
use crate::Result;
use crate::supervisor::{Id, Start, Status};

/// A program that runs beside a control plane and goes with it, however the test ends.
#[derive(Debug)]
pub struct Guest<'a> {
    plane: &'a ControlPlane,
    id: Id,
    log: PathBuf,
}

impl ControlPlane {
    /// Runs a program beside the control plane: its arguments and the variables set on the command, nothing else of the
    /// caller's environment. What it says goes to `<name>.log` in the folder.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub async fn run(&self, name: &str, command: &Command) -> Result<Guest<'_>> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let variables = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
        let mut env = self.environment();
        env.extend(variables.map(|(key, value)| format!("{}={}", key.display(), value.display())));
        let log = self.folder().join(format!("{name}.log"));
        let start = Start { argv: words.map(|word| word.display().to_string()).collect(), env, log: log.clone() };
        let id = self.supervisor.run(&start).await?;
        Ok(Guest { plane: self, id, log })
    }
}

impl Guest<'_> {
    /// Its process id; nothing once it has ended.
    pub fn pid(&self) -> Option<u32> {
        match self.plane.supervisor.status(self.id)? {
            Status::Running(pid) => Some(pid),
            Status::Failed(_) | Status::Exited(_) => None,
        }
    }

    /// Waits until it has ended; tells how, such as `exit status 0`.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn ended(&self) -> Result<String> {
        self.plane.supervisor.ended(self.id).await
    }

    /// What it says.
    pub fn log(&self) -> &std::path::Path {
        &self.log
    }
}
