//! Logs of the deployables, as text or JSON.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_new(arguments.log.as_deref().unwrap_or(usual))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match arguments.log_format {
        Format::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        Format::Json => logs.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
