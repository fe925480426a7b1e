//! The tasks of this repository: `cargo xtask --help` lists them. One way to run each.

mod agents;
mod bench;
mod chart;
mod check;
mod collector;
mod command;
mod demo;
mod generate;
mod images;
mod lanes;
mod musl;
mod program;
mod repository;
mod rules;
mod step;
mod summary;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this repository.
///
/// `check` is the quick look before a commit, `test` is everything. Both need nothing but Rust; the tests against a real
/// control plane need Go as well, since they build Kubernetes from its module once and keep it in the user's cache folder.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The quick look: formatting, lints, every crate alone, generated files, house rules.
    ///
    /// Takes less than two minutes when the dependencies are built. Goes on after a failure and names all of them at the
    /// end. `cargo deny` is run where it is installed.
    Check {
        /// Writes generated files anew instead of comparing them.
        #[arg(long)]
        write: bool,
    },
    /// Every test: unit, property, documentation, and system tests against a real control plane.
    ///
    /// Builds what the tests need first, which takes minutes on a fresh machine and is shown. Ends with a summary.
    #[command(after_help = "Examples:\n  \
        cargo xtask test                                  everything\n  \
        cargo xtask test -p epiphyte-plan                 one crate\n  \
        cargo xtask test -p epiphyte-operator collectors  tests whose names contain a word\n  \
        cargo xtask test -- --nocapture                   with what the tests print")]
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Assembles the folder of agents and prints its path.
    ///
    /// Fetches and builds the agents for Java, Python, Node.js and Go and the preload library, slims them, and keeps them in the
    /// user's cache folder. Needs Java, Python with pip, npm and Go.
    Agents,
    /// Shows the operator at work on a control plane of its own, and checks what it shows.
    ///
    /// Builds what it needs, starts a control plane on this machine, runs the operator beside it, applies the workloads of
    /// `examples/`, and plays the node agent's part with kubectl. Leaves nothing behind.
    Demo {
        /// Ends when all is shown, instead of leaving the cluster there until Ctrl-C.
        #[arg(long)]
        once: bool,
        /// Shows what the operator decides about many workloads and why, without a node and without telemetry.
        #[arg(long)]
        decisions: bool,
    },
    /// Builds container images as OCI archives, without a daemon.
    ///
    /// Each is built once for each content and kept in the user's cache folder. Needs root and Debian 12, whose packages
    /// the samples are made of; those are unpacked, nothing is installed. Where there is Docker, `--contexts` lays out what
    /// the same Dockerfiles need instead.
    #[command(after_help = "Examples:\n  \
        cargo xtask images                            all of them\n  \
        cargo xtask images operator                   one\n  \
        cargo xtask images --contexts build operator  for `docker build build/operator`")]
    Images {
        /// Which; all if none is named.
        images: Vec<images::Image>,
        /// Lays out the build contexts in this folder, and builds nothing.
        #[arg(long, value_name = "FOLDER")]
        contexts: Option<PathBuf>,
    },
    /// Measures what DESIGN's budgets are about and prints a table.
    Bench {
        /// Passed on to the benchmarks; `--help` lists what they take.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Writes the files that are made from the code: the resource definitions and the reference manual's tables.
    Generate {
        /// Writes the Collector's sources anew from its manifest instead, which needs Go and the network.
        #[arg(long)]
        collector: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Check { write } => check::run(write),
        Task::Test { arguments } => test::run(&arguments),
        Task::Agents => agents::run(),
        Task::Demo { once, decisions } => demo::run(
            if decisions { demo::Subject::Decisions } else { demo::Subject::Market },
            if once { demo::Ending::Once } else { demo::Ending::OnRequest },
        ),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Images { images, contexts } => images::run(&images, contexts.as_deref()),
        Task::Generate { collector: true } => collector::generate(),
        Task::Generate { collector: false } => generate::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::say(format!("{} {error:#}", console::style("error:").red().bold()));
            ExitCode::FAILURE
        }
    }
}
