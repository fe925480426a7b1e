//! Tests that run side by side: those on a node wait far more than they compute.

use std::ffi::OsString;
use std::io::BufRead as _;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use epiphyte_testbed::image;

use crate::repository::{cargo, root};
use crate::step::say;
use crate::{command, musl};

/// Tests of a program that run at once, on any machine: most wait for a control plane. One of their own takes 700 MB.
const AT_ONCE: &str = "4";

/// The package with the suites that take long, and the one among them that runs beside all others.
const PACKAGE: &str = "epiphyte";
const ON_A_NODE: &str = "node";

/// Arguments of calls of `cargo test`, one after the other.
type Lane = Vec<Vec<OsString>>;

/// What is run at the same time.
pub struct Lanes {
    /// What is shown as it goes.
    shown: Lane,
    /// What is shown when it has ended.
    aside: Option<Lane>,
}

/// What tests came to.
pub struct Ended {
    /// What they said.
    pub lines: Vec<String>,
    /// Whether none failed.
    pub succeeded: bool,
}

impl Lanes {
    /// One call of `cargo test`.
    pub fn of_one(arguments: Vec<OsString>) -> Self {
        Self { shown: vec![arguments], aside: None }
    }

    /// Every test there is.
    ///
    /// # Errors
    /// The suites cannot be listed.
    pub fn of_everything() -> Result<Self> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let mut others = words(&["--package", PACKAGE, "--bins"]);
        for entry in root().join("crates/cli/tests").read_dir().context("cannot list the tests")? {
            let path = entry.context("cannot list the tests")?.path();
            let is_suite = path.join("main.rs").exists() || path.extension().is_some_and(|extension| extension == "rs");
            let name = path.file_stem().unwrap_or_default();
            if is_suite && name != ON_A_NODE {
                others.extend(["--test".into(), name.to_owned()]);
            }
        }
        Ok(Self {
            shown: vec![words(&["--workspace", "--exclude", PACKAGE]), others],
            aside: Some(vec![words(&["--package", PACKAGE, "--test", ON_A_NODE])]),
        })
    }

    /// Runs them. `images` is the folder of the images that tests on a node need.
    ///
    /// # Errors
    /// Cargo cannot be run. Tests that fail are no error.
    pub fn run(self, images: Option<&Path>) -> Result<Ended> {
        thread::scope(|scope| {
            let aside = self.aside.map(|lane| scope.spawn(move || run(&lane, images, |_| {})));
            let mut ended = run(&self.shown, images, |line| say(line))?;
            if let Some(aside) = aside {
                if !aside.is_finished() {
                    say("\nThe tests on a node still run.");
                }
                let aside = aside.join().map_err(|_| anyhow!("the tests on a node broke off"))??;
                aside.lines.iter().for_each(say);
                ended.lines.extend(aside.lines);
                ended.succeeded &= aside.succeeded;
            }
            Ok(ended)
        })
    }
}

/// Runs a lane; hands each line to `show` as it comes.
fn run(lane: &Lane, images: Option<&Path>, show: impl Fn(&str)) -> Result<Ended> {
    let mut ended = Ended { lines: Vec::new(), succeeded: true };
    for arguments in lane {
        let mut test = cargo();
        test.args(["test", "--no-fail-fast"]).args(arguments);
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            test.env("RUST_TEST_THREADS", AT_ONCE);
        }
        test.envs(images.map(|folder| (image::FOLDER, folder)));
        // Where there is none, the tests that need one say so.
        test.envs(musl::path().ok().map(|path| ("PATH", path)));
        let (mut child, lines) = command::start(test)?;
        for line in lines.lines() {
            let line = line.context("cannot read what the tests say")?;
            show(&line);
            ended.lines.push(line);
        }
        ended.succeeded &= child.wait().context("cannot wait for the tests")?.success();
    }
    Ok(ended)
}
