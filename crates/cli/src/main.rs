//! The `epiphyte` program: one subcommand for each deployable, and some for people.

mod cluster;
mod crds;
mod logs;
mod operator;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Puts OpenTelemetry instrumentation on workloads that already run in Kubernetes, and says for every container why it is
/// or is not there.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Operator(operator::Arguments),
    Crds(crds::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Two cryptography providers in one program are a panic at the first connection: this one is named before any.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail(&anyhow::anyhow!("another cryptography provider is installed already"));
    }
    let result = match arguments.command {
        Command::Operator(arguments) => operator::run(arguments),
        Command::Crds(arguments) => crds::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "this is where a person is told that a command failed")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
