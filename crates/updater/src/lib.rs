//! Keeps a Helm release up to date: the newest chart that a range allows, the values that people set, and a way back.
//!
//! The work is Helm's. What is decided here is whether to upgrade at all, and what becomes of an upgrade that fails.

mod cause;
mod choice;
mod helm;
mod metric;
mod options;
mod outcome;
mod plan;
mod release;
mod repository;
mod secret;
mod tell;
mod upgrade;

use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::choice::{Choice, choose};
use crate::helm::{Helm, HelmError};
pub use crate::options::{Digest, Failed, Mode, NoDigest, Options, Proof, Source, SourceError};
pub use crate::outcome::{Outcome, Report, Severity};
pub use crate::plan::{ObjectChange, Plan, ValueChange, Verb};
use crate::release::Standing;
use crate::repository::RepositoryError;
use crate::secret::{hide, secrets};
use crate::tell::Board;
use crate::upgrade::{Work, is_taken};

/// How many times the longest wait an operation may take: its hooks before, its objects, its hooks after.
const WAITS: u32 = 3;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    outcome: Outcome,
    why: String,
    next: String,
}

impl Ended {
    fn new(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into(), next: outcome.next_step().to_owned() }
    }

    fn plain(outcome: Outcome) -> Self {
        Self::new(outcome, "")
    }
}

impl From<HelmError> for Ended {
    fn from(error: HelmError) -> Self {
        Self::new(Outcome::CannotRun, error.to_string())
    }
}

impl From<kube::Error> for Ended {
    fn from(error: kube::Error) -> Self {
        Self::new(Outcome::CannotRun, epiphyte_daemon::chain(&error))
    }
}

impl From<RepositoryError> for Ended {
    fn from(error: RepositoryError) -> Self {
        let outcome = match &error {
            RepositoryError::Unreadable { .. } => Outcome::RepositoryUnavailable,
            RepositoryError::NoChart(_) | RepositoryError::NoneInRange { .. } => Outcome::NoVersion,
            RepositoryError::Wrong(_) | RepositoryError::Unproven(_) => Outcome::ChartRefused,
            RepositoryError::Helm(_) | RepositoryError::File(_) => Outcome::CannotRun,
        };
        Self::new(outcome, error.to_string())
    }
}

/// Brings a release up to date, if there is anything to do; tells what came of it. A dry run writes nothing at all.
pub async fn run(options: &Options, client: &Client, stop: CancellationToken) -> Report {
    let Options { release, namespace, cron_job, .. } = options;
    let mut report = Report {
        outcome: Outcome::CannotRun,
        release: release.clone(),
        namespace: namespace.clone(),
        from: None,
        to: None,
        why: String::new(),
        next: String::new(),
        plan: None,
    };
    let board = Board { client, namespace, cron_job };
    let (Ok(ended) | Err(ended)) = attempt(options, client, &stop, &board, &mut report).await;
    let Ended { outcome, why, next } = ended;
    (report.outcome, report.why, report.next) = (outcome, why, next);
    let line = report.line();
    match outcome.severity() {
        Severity::Normal => info!(%outcome, "{line}"),
        Severity::Warning => warn!(%outcome, "{line}"),
    }
    if options.mode == Mode::Upgrade {
        let now = Timestamp::now();
        board.tell(&report, now).await;
        if let Some(endpoint) = &options.otlp
            && let Err(error) = metric::send(endpoint, &report, now).await
        {
            warn!(endpoint, %error, "the metric is not sent");
        }
    }
    report
}

/// Does it, with a folder for as long as it takes. No secret of the release's values is in what is told.
async fn attempt(
    options: &Options,
    client: &Client,
    stop: &CancellationToken,
    board: &Board<'_>,
    report: &mut Report,
) -> Result<Ended, Ended> {
    let cannot = |error: std::io::Error| Ended::new(Outcome::CannotRun, format!("cannot keep files: {error}"));
    let folder = tempfile::Builder::new().prefix("epiphyte-updater-").tempdir().map_err(cannot)?;
    let helm = Helm::new(&options.helm, &options.namespace, folder.path(), stop.clone());
    let run = random().map_err(cannot)?;
    let work = Work { options, client, helm: &helm, stop, run: &run };
    let (Ok(mut ended) | Err(mut ended)) = update(&work, board, report).await;
    if stop.is_cancelled()
        && !matches!(ended.outcome, Outcome::Updated | Outcome::Interrupted | Outcome::RollbackFailed)
    {
        // Whatever was asked has no answer, and nothing was begun.
        ended = Ended::plain(Outcome::Interrupted);
    }
    if !matches!(ended.outcome, Outcome::Updated | Outcome::CannotRun) && !ended.why.is_empty() {
        // Helm and the API server repeat values that they do not like.
        let set = helm.to_the_end().ask(&["get", "values", &options.release]).await;
        ended.why = hide(&ended.why, &secrets(&set.unwrap_or_default()));
    }
    Ok(ended)
}

async fn update(work: &Work<'_>, board: &Board<'_>, report: &mut Report) -> Result<Ended, Ended> {
    let Work { options, client, helm, .. } = *work;
    let Options { release, namespace, source, range, proof, .. } = options;
    let Some(history) = release::history(helm, release).await? else {
        let why = format!("there is no release {release} in namespace {namespace}");
        return Err(Ended::new(Outcome::NotDeployed, why));
    };
    let last = match release::standing(&history, Timestamp::now(), options.timeout.saturating_mul(WAITS)) {
        Standing::Free(revision) => revision,
        standing => return Err(not_free(work, standing).await?),
    };
    let installed = release::installed(helm, release, last).await?;
    report.from = Some(installed.version.to_string());

    let offer = repository::newest(helm, source, range, proof).await?;
    report.to = Some(offer.version.to_string());
    match choose(&installed.version, &offer.version, range) {
        Choice::Go => {}
        Choice::UpToDate => return Ok(Ended::plain(Outcome::UpToDate)),
        Choice::OnlyOlder => return Ok(Ended::plain(Outcome::OnlyOlder)),
    }
    let archive = repository::fetch(helm, source, offer, proof).await?;
    if archive.name != installed.chart {
        let why =
            format!("the release is of the chart {}, on offer is one that is called {}", installed.chart, archive.name);
        return Err(Ended::new(Outcome::ChartRefused, why));
    }
    if options.failed == Failed::Wait {
        let attempts = release::attempts(client, namespace, release).await?;
        if let Some(failed) = release::failed_before(&history, &attempts, &archive.digest) {
            // What was found out when it failed, where that is still known.
            let noted = board.noted().await.filter(|note| note.to == report.to && !note.why.is_empty());
            let why =
                noted.map_or_else(|| format!("revision {}: {}", failed.revision, failed.description), |it| it.why);
            return Err(Ended::new(Outcome::FailedBefore, why));
        }
    }

    let plan = plan::plan(helm, release, &installed, &archive).await.map_err(|error| match error {
        HelmError::Failed { said, .. } if is_taken(&said) => Ended::new(Outcome::Held, said),
        HelmError::Failed { said, .. } => Ended::new(Outcome::UpgradeRefused, said),
        error => error.into(),
    })?;
    report.plan = Some(plan);
    if options.mode == Mode::DryRun {
        return Ok(Ended::plain(Outcome::Planned));
    }
    // The plan is for what was there when it was begun.
    let now = release::history(helm, release).await?.unwrap_or_default();
    if now.last().map(|it| (it.revision, it.status)) != history.last().map(|it| (it.revision, it.status)) {
        return Err(Ended::new(Outcome::Held, "the release was changed while this updater looked at it"));
    }
    work.upgrade(&installed, last, &archive).await
}

/// What is done of a release that is not there to be upgraded: one that an updater left behind is rolled back, others are left
/// to whoever is at them.
async fn not_free(work: &Work<'_>, standing: Standing) -> Result<Ended, Ended> {
    let Options { release, namespace, .. } = work.options;
    Ok(match standing {
        Standing::Free(_) => Ended::plain(Outcome::UpToDate),
        Standing::Busy { revision, since } => {
            Ended::new(Outcome::Held, format!("revision {revision} is pending for {} s", since.as_secs()))
        }
        Standing::Stale { revision, since, back_to } => {
            let cure = match back_to {
                Some(back_to) => format!("helm rollback {release} {back_to} --namespace {namespace}"),
                None => format!(
                    "helm uninstall {release} --namespace {namespace}` and install it anew, or `helm status {release}"
                ),
            };
            Ended {
                next: format!("See that nobody is at it, then `{cure}`."),
                ..Ended::new(
                    Outcome::PendingTooLong,
                    format!("revision {revision} is pending for {} s", since.as_secs()),
                )
            }
        }
        Standing::Failed { revision, why, back_to } => {
            let attempts = release::attempts(work.client, namespace, release).await?;
            let is_ours = attempts.iter().any(|attempt| attempt.revision == revision);
            match back_to {
                Some(back_to) if is_ours && work.options.mode == Mode::Upgrade => {
                    let why = format!("{why} (the updater that tried it was ended before it could roll back)");
                    work.roll_back(revision, back_to, why, Outcome::RolledBack).await
                }
                Some(back_to) => Ended {
                    next: format!("Repair it, or `helm rollback {release} {back_to} --namespace {namespace}`."),
                    ..Ended::new(Outcome::NotDeployed, format!("revision {revision} failed: {why}"))
                },
                None => Ended::new(Outcome::NotDeployed, format!("revision {revision} failed: {why}")),
            }
        }
        Standing::Gone { revision } => {
            Ended::new(Outcome::NotDeployed, format!("revision {revision} of {release} is not one that is deployed"))
        }
    })
}

/// A word that no other run has.
fn random() -> std::io::Result<String> {
    let mut bytes = [0_u8; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
