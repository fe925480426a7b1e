//! What a person would do with `kubectl`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::ControlPlane;
use crate::{Error, Result};

impl ControlPlane {
    /// A `kubectl` that talks to this control plane as [`ADMIN`](super::ADMIN) and keeps its cache in the control plane's
    /// folder.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.programs.join("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.folder().join("kubectl-cache"));
        command
    }

    /// Runs `kubectl` with these arguments and this on its standard input, and gives what it says; blocks meanwhile. Among
    /// other things this is how to apply a file, to wait for a condition, and to look into a container.
    ///
    /// # Errors
    /// When it cannot be run or fails; the error has what it said.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let failed = |problem: String| Error::Program { command: format!("kubectl {}", arguments.join(" ")), problem };
        let run = || -> std::io::Result<_> {
            let mut command = self.kubectl();
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            let mut stdin = child.stdin.take();
            // Beside reading, or the two could wait for each other.
            std::thread::scope(|scope| {
                scope.spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(input.as_bytes())));
                child.wait_with_output()
            })
        };
        let output = run().map_err(|error| failed(format!("cannot be run: {error}")))?;
        if !output.status.success() {
            return Err(failed(format!("failed: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
