//! `cargo xtask check`: the quick look before a commit.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::repository::cargo;
use crate::step::{Outcome, Step, headline, say};
use crate::{command, generate, repository, rules};

/// Takes the quick look, all of it, and fails if anything was found.
pub fn run(write: bool) -> Result<()> {
    headline("Checking");
    let mut checks = Checks::default();
    let run = |step: &mut Step, arguments: &[&str]| {
        let mut command = cargo();
        command.args(arguments);
        command::run(step, command)
    };

    checks.take("formatting", |step| {
        run(step, &["fmt", "--all", "--check", "--", "--files-with-diff"]).context("`cargo fmt` is due")
    });
    checks.take("house rules", |_| rules::check());
    if write {
        checks.take("generated files, written", |_| generate::write());
    } else {
        checks.take("generated files", |_| generate::compare());
    }
    checks.take("lints, warnings denied", |step| {
        run(step, &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
    });
    for name in repository::crates()? {
        checks.take(&format!("{name} alone"), |step| run(step, &["check", "--package", &name]));
    }
    if deny_is_installed() {
        checks.take("dependencies", |step| {
            run(step, &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])
        });
    } else {
        let note = "cargo-deny is not installed; `cargo install --locked cargo-deny` adds this check";
        Step::start("dependencies").end(Outcome::Skipped, note);
    }
    checks.conclude()
}

fn deny_is_installed() -> bool {
    let mut command = cargo();
    command.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What was checked so far.
#[derive(Default)]
struct Checks {
    failed: Vec<String>,
}

impl Checks {
    fn take(&mut self, title: &str, check: impl FnOnce(&mut Step) -> Result<()>) {
        let mut step = Step::start(title);
        match check(&mut step) {
            Ok(()) => step.end(Outcome::Ok, ""),
            Err(error) => {
                step.end(Outcome::Failed, "");
                say(format!("{error:#}\n"));
                self.failed.push(title.to_owned());
            }
        }
    }

    fn conclude(self) -> Result<()> {
        if self.failed.is_empty() {
            say("\nAll is well.");
            return Ok(());
        }
        bail!("{} of the checks failed: {}", self.failed.len(), self.failed.join("; "))
    }
}
