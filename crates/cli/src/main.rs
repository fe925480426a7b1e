//! The `epiphyte` program: one subcommand for each deployable, and some for people.

mod audit;
mod cluster;
mod crds;
mod doctor;
mod engine;
mod explain;
mod logs;
mod node_agent;
mod operator;
mod preview;
mod quickstart;
mod show;
mod status;
mod stop;
mod support_bundle;
mod telemetry_proxy;
mod uninstall;
mod updater;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// A small allocation costs half of what it does with the C library, of which there are hundreds in each admission, and
/// memory goes back to the system soon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts OpenTelemetry instrumentation on workloads that already run in Kubernetes, and says for every container why it is
/// or is not there.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Linked as `kubectl-epiphyte` on the PATH, it works as `kubectl epiphyte` too."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Operator(operator::Arguments),
    NodeAgent(node_agent::Arguments),
    TelemetryProxy(telemetry_proxy::Arguments),
    Updater(updater::Arguments),
    Explain(explain::Arguments),
    Status(status::Arguments),
    Doctor(doctor::Arguments),
    SupportBundle(support_bundle::Arguments),
    Audit(audit::Arguments),
    Preview(preview::Arguments),
    Crds(crds::Arguments),
}

fn main() -> ExitCode {
    let arguments = arguments();
    // Two cryptography providers in one program are a panic at the first connection: this one is named before any.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail(&anyhow::anyhow!("another cryptography provider is installed already"));
    }
    let result = match arguments.command {
        Command::Operator(arguments) => operator::run(arguments),
        Command::NodeAgent(arguments) => node_agent::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::TelemetryProxy(arguments) => telemetry_proxy::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Updater(arguments) => updater::run(arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::SupportBundle(arguments) => support_bundle::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Preview(arguments) => preview::run(&arguments),
        Command::Crds(arguments) => crds::run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| fail(&error))
}

/// The arguments; help and errors name the program as it was called.
fn arguments() -> Arguments {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_plugin = Path::new(&called).file_stem().is_some_and(|name| name == "kubectl-epiphyte");
    let command = Arguments::command().bin_name(if is_plugin { "kubectl epiphyte" } else { "epiphyte" });
    let parsed = Arguments::from_arg_matches(&command.get_matches());
    parsed.unwrap_or_else(|error| error.exit())
}

#[expect(clippy::print_stderr, reason = "this is where a person is told that a command failed")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
