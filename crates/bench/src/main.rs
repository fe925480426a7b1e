//! `epiphyte-bench`: measures what the design's budgets are about, and prints one table.
//!
//! Fails if a budget is missed. What is measured is the `epiphyte` program, as processes of its own, and the preload library,
//! both as they are shipped; `cargo xtask bench` builds them and says where they are.

mod admin;
mod admission;
mod cluster;
mod connection;
mod deployable;
mod engine;
mod injector;
mod load;
mod manifests;
mod operator;
mod process;
mod proxy;
mod report;
mod runtimes;
mod samples;
mod scale;
mod scan;
mod switch_on;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, ValueEnum};

use crate::report::{Report, Row};

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Epiphyte against the budgets of its design, and fails if one is missed.
#[derive(Parser)]
#[command(name = "cargo xtask bench", max_term_width = 100)]
struct Arguments {
    /// Runs this part alone; may be given several times.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    #[command(flatten)]
    measured: Measured,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is measured, as `cargo xtask bench` has built it.
#[derive(Args)]
struct Measured {
    /// The `epiphyte` program.
    #[arg(long, value_name = "FILE", hide = true)]
    program: PathBuf,
    /// The preload library.
    #[arg(long, value_name = "FILE", hide = true)]
    library: PathBuf,
}

/// A part of the benchmarks.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The engine alone: reading, planning and editing a workload.
    #[value(name = "plan+surgery")]
    Engine,
    /// The webhook over HTTPS.
    Admission,
    /// A cluster with 5,000 Deployments.
    Scale,
    /// 500 workloads switched on at once.
    SwitchOn,
    /// The node agent beside 110 pods.
    Scan,
    /// The preload library.
    Injector,
    /// The telemetry proxy.
    Proxy,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// A table.
    Text,
    /// A JSON list.
    Json,
}

fn main() -> ExitCode {
    let told = run(&Arguments::parse()).unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        false
    });
    if told { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether every budget is met.
fn run(arguments: &Arguments) -> Result<bool> {
    // One thread makes load and plays the cluster's people, so that the operator has the rest of the machine.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let mut rows = Vec::new();
    for part in Part::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(part) {
            rows.extend(runtime.block_on(part.run(&arguments.measured))?);
        }
    }
    let report = Report(rows);
    let text = match arguments.output {
        Output::Text => report.table(),
        Output::Json => serde_json::to_string_pretty(&report)?,
    };
    writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")?;
    Ok(report.is_met())
}

impl Part {
    async fn run(self, Measured { program, library }: &Measured) -> Result<Vec<Row>> {
        match self {
            Self::Engine => engine::measure(),
            Self::Admission => admission::measure(program).await,
            Self::Scale => scale::measure(program).await,
            Self::SwitchOn => switch_on::measure(program).await,
            Self::Scan => scan::measure(program).await,
            Self::Injector => injector::measure(library),
            Self::Proxy => proxy::measure(program).await,
        }
    }
}

/// Tells a person at the terminal what is going on.
#[expect(clippy::print_stderr, reason = "this is where a person is told what the program does")]
fn say(text: &str) {
    eprintln!("{text}");
}
