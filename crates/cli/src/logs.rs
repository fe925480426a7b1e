//! Logs of the deployables, as text or JSON.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a deployable logs.
#[derive(Args)]
pub(crate) struct LogArguments {
    /// Format of the logs on standard error.
    #[arg(long, value_enum, default_value_t = Format::Text, env = "EPIPHYTE_LOG_FORMAT")]
    log_format: Format,
    /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,kube=debug` [default: info,
    /// and warnings while uninstalling].
    #[arg(long, env = "EPIPHYTE_LOG")]
    log: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What a deployable logs by default.
pub(crate) const USUAL: &str = "info";

/// Starts logging for the rest of the program, what `usual` says where the arguments say nothing.
pub(crate) fn start(arguments: &LogArguments, usual: &str) -> anyhow::Result<()> {
    let wanted = arguments.log.as_deref().unwrap_or(usual);
    let wanted: Targets =
        wanted.parse().map_err(|error| anyhow::anyhow!("cannot tell what to log from {wanted:?}: {error}"))?;
    let logs = tracing_subscriber::registry().with(wanted);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match arguments.log_format {
        Format::Text => logs.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        Format::Json => logs.with(lines.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
