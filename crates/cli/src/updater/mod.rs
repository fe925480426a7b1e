//! `epiphyte updater`: upgrades the Helm release that Epiphyte was installed by.

mod render;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use epiphyte_updater::{Digest, Failed, Mode, Options, Proof, Source};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::show::{self, Format};
use crate::{logs, stop};

/// Upgrade a Helm release to the newest version of its chart that a range allows, and roll it back if it does not come up.
///
/// Values that people set are kept; all others are the next chart's defaults. Does nothing while another operation holds the
/// release, and never tries a version again that failed. Runs in a CronJob of the release's namespace, or anywhere with a
/// kubeconfig and the helm program.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte updater --chart oci://registry.example.com/charts/epiphyte --version '^0.1' --dry-run
  epiphyte updater --chart epiphyte --repository https://charts.example.com --version '~0.1.0' --keyring pubring.gpg
  epiphyte updater --chart epiphyte --repository https://charts.example.com --version 0.1.3
  kubectl create job --from=cronjob/epiphyte-updater epiphyte-updater-now -n epiphyte-system

Ranges are Helm's: `*`, `^1.2`, `~1.2.3`, `>=1.0 <2.0`, `1.x || 2.x`. They go forward only; a single version is gone to in either
  direction. Pre-releases count where the range names one, as `>=1.0.0-0` does.

JSON: outcome, release, namespace, from, to, why, next, plan {chart, from, to, digest, signedBy, kept[], unknown[],
  values[] {path, before, after}, objects[] {verb, kind, namespace, name, diff}}. What is secret is not in it.

Exit status:
  0   Updated, UpToDate, OnlyOlder (on offer are older versions only), Planned (--dry-run)
  1   CannotRun: no API server, no right, no helm       2   wrong usage
  3   Held: another operation is at the release         4   PendingTooLong: one that was broken off is
  5   NotDeployed: there is no release to upgrade       6   RepositoryUnavailable
  7   NoVersion: none on offer is in the range          8   ChartRefused: digest, signature or content
  9   UpgradeRefused: by Helm or the API server; nothing was changed
  10  RolledBack: it failed and was rolled back         11  RollbackFailed
  12  FailedBefore: the newest version is not tried again, see --retry
  13  Interrupted: told to stop, and rolled back")]
pub(crate) struct Arguments {
    /// The chart: its name in a repository, or oci://<registry>/<path>/<chart>.
    #[arg(long, value_name = "CHART")]
    chart: String,
    /// The chart repository, where its index.yaml is.
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// The versions that are wanted: a range, or a single version.
    #[arg(long, value_name = "RANGE", default_value = "*")]
    version: String,
    /// The release.
    #[arg(long, value_name = "NAME", default_value = "epiphyte")]
    release: String,
    /// Namespace of the release and of the CronJob; that of the kubeconfig's context, or of the pod, by default.
    #[arg(short, long)]
    namespace: Option<String>,
    /// How long it may take until everything is ready, and again for a rollback.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: SignedDuration,
    /// Accept only an archive of this digest, such as sha256:9f86d0...; may be given several times.
    #[arg(long, value_name = "DIGEST")]
    digest: Vec<Digest>,
    /// Accept only a chart that is signed by one of the public keys in this file.
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Try a version again that failed and was rolled back.
    #[arg(long)]
    retry: bool,
    /// Print what an upgrade would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Format of the result on standard output; logs are on standard error.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// The CronJob that the outcome is told on, by an Event and an annotation.
    #[arg(long, value_name = "NAME", default_value = "epiphyte-updater")]
    cron_job: String,
    /// Where the metric epiphyte.updater.run is sent: OTLP over plain HTTP, as the telemetry proxy takes it.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// The helm program, 3.14 or newer.
    #[arg(long, value_name = "PROGRAM", default_value = "helm")]
    helm: PathBuf,
    #[command(flatten)]
    logs: logs::LogArguments,
}

/// Longest time that can be given: a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Wrong usage, as clap has it.
const USAGE: u8 = 2;

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    logs::start(&arguments.logs, logs::USUAL)?;
    let source = match Source::new(&arguments.chart, arguments.repository.as_deref()) {
        Ok(source) => source,
        Err(error) => {
            crate::fail(&error.into());
            return Ok(ExitCode::from(USAGE));
        }
    };
    let timeout = Duration::try_from(arguments.timeout.min(LONGEST)).context("--timeout is a time from now on")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let cluster = Cluster::of_person().await?;
        let options = Options {
            helm: arguments.helm,
            release: arguments.release,
            namespace: arguments.namespace.unwrap_or_else(|| cluster.namespace.clone()),
            source,
            range: arguments.version,
            proof: Proof { digests: arguments.digest, keyring: arguments.keyring },
            timeout,
            failed: if arguments.retry { Failed::TryAgain } else { Failed::Wait },
            mode: if arguments.dry_run { Mode::DryRun } else { Mode::Upgrade },
            cron_job: arguments.cron_job,
            otlp: arguments.otlp_endpoint.filter(|endpoint| !endpoint.is_empty()),
        };
        let shutdown = CancellationToken::new();
        stop::on_signal(&shutdown)?;
        let report = epiphyte_updater::run(&options, cluster.client(), shutdown).await;
        show::print(&match arguments.output {
            Format::Text => render::render(&report),
            Format::Json => show::json(&report)?,
        })?;
        Ok(ExitCode::from(report.outcome.exit_status()))
    })
}
