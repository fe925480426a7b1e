//! `epiphyte operator --uninstall`: takes the whole system out of a cluster, and proves it.

mod lease;
mod leave;
mod mark;
mod progress;
mod remove;
mod report;
mod restore;
mod work;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use epiphyte_operator::settings::Settings;
use epiphyte_operator::{Uninstaller, UninstallerOptions};
use jiff::SignedDuration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub(crate) use self::lease::is_held;
use self::mark::Mark;
use self::progress::Progress;
use self::remove::Removal;
use self::report::{Outcome, Report, next};
use self::work::{Done, Work};
use crate::audit::{Audit, Definitions, NAMESPACES, audit, system_namespace};
use crate::cluster::{Cluster, connect};
use crate::show::{self, Format};
use crate::stop;

/// How long the look at what is left may take, when the time for all else is over.
const AUDIT: Duration = Duration::from_mins(1);

/// Longest time that can be given: a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What the operator's help says of uninstalling.
pub(crate) const HELP: &str = "\
About uninstalling:
  `epiphyte operator --uninstall` deletes every Lumigo, takes everything off workloads, waits until pods are replaced and node
  agents have left their hosts, removes what was installed (what Helm keeps is left to Helm), and ends with an audit. A living
  operator does the work; where none is, or it dies, this program does it with the same engine. It may be stopped and run again
  at any moment. What people wrote stays: annotations, labels, and with --keep-crds Sources.

Examples:
  epiphyte operator --uninstall
  epiphyte operator --uninstall --timeout 30m --keep-crds
  epiphyte operator --uninstall -o json | jq '.audit.findings'
  epiphyte operator --uninstall --cancel

JSON of --uninstall: outcome (uninstalled, incomplete, timedOut, interrupted, failed), why, next, workloads, restored,
  stuck[] {namespace, kind, name, why}, removed[], hosts {<node>: why}, audit (see `epiphyte audit --help`).

Exit status of --uninstall: 0 if nothing is left; 1 if something is, or the time was over; 2 on wrong usage.";

/// How to uninstall.
#[derive(Args)]
pub(crate) struct UninstallArguments {
    /// Take Epiphyte out of the cluster, with all that it has done there, and say what is left.
    #[arg(long, help_heading = "Uninstalling")]
    pub(crate) uninstall: bool,
    /// How long it may take, such as 90s or 1h; what has been done by then stays done.
    #[arg(long, value_name = "DURATION", default_value = "10m", requires = "uninstall", help_heading = "Uninstalling")]
    timeout: SignedDuration,
    /// Keep the CustomResourceDefinitions, and with them Sources, for a later installation.
    #[arg(long, requires = "uninstall", help_heading = "Uninstalling")]
    keep_crds: bool,
    /// Call it off: operators do again what the marks say.
    #[arg(long, requires = "uninstall", conflicts_with = "keep_crds", help_heading = "Uninstalling")]
    cancel: bool,
    /// Format of the result on standard output; progress is on standard error.
    #[arg(short, long, value_enum, default_value_t = Format::Text, requires = "uninstall", help_heading = "Uninstalling")]
    output: Format,
}

/// Where to uninstall, and as whom.
pub(crate) struct Place {
    /// The system namespace, where no operator says otherwise.
    pub(crate) namespace: String,
    /// Name in the election.
    pub(crate) identity: String,
    pub(crate) settings: Settings,
}

pub(crate) async fn run(arguments: &UninstallArguments, place: Place) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::of_person().await?;
    let namespace = system_namespace(&cluster, &place.namespace).await?;
    let mark = Mark { cluster: &cluster, namespace: &namespace };
    if arguments.cancel {
        return cancel(mark).await;
    }
    let report = uninstall(arguments, mark, Place { namespace: namespace.clone(), ..place }).await?;
    show::print(&match arguments.output {
        Format::Text => report.render(),
        Format::Json => show::json(&report)?,
    })?;
    Ok(if report.outcome == Outcome::Uninstalled { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a stretch of the work came to, if it did not come to its end.
enum Cut {
    Failed(anyhow::Error),
    TimedOut,
    Interrupted,
}

/// Bounds of the work.
struct Bounds {
    deadline: Instant,
    interrupt: CancellationToken,
}

impl Bounds {
    async fn within<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Cut> {
        let work = self.interrupt.run_until_cancelled(work);
        match timeout_at(self.deadline, work).await {
            Ok(Some(done)) => done.map_err(Cut::Failed),
            Ok(None) => Err(Cut::Interrupted),
            Err(_) => Err(Cut::TimedOut),
        }
    }
}

async fn uninstall(arguments: &UninstallArguments, mark: Mark<'_>, place: Place) -> anyhow::Result<Report> {
    let bounds = Bounds { deadline: deadline(arguments.timeout)?, interrupt: CancellationToken::new() };
    stop::on_signal(&bounds.interrupt)?;
    let (progress, done) = (Progress::default(), RefCell::new(Done::default()));
    let definitions = if arguments.keep_crds { Definitions::Stay } else { Definitions::Go };
    let Mark { cluster, namespace } = mark;

    progress.say(format!("uninstalling Epiphyte, whose system namespace is {namespace}"));
    // In one that is about to go, nothing can be written any more.
    let found = cluster.get(&NAMESPACES, None, namespace).await?;
    let has_namespace = found.is_some_and(|it| it.pointer("/metadata/deletionTimestamp").is_none());

    let Place { namespace: _, identity, settings } = place;
    let options = UninstallerOptions { namespace: namespace.to_owned(), identity, settings, has_namespace };
    // One that waits for as long as a watch is silent.
    let mut engine = Uninstaller::start(&connect().await?, options);
    let work = Work { cluster, mark, has_namespace, progress: &progress, done: &done };
    let taken_off = bounds.within(work.take_off(&mut engine)).await;
    engine.stop().await;
    let given_up = RefCell::new(BTreeSet::new());
    let removal = Removal { cluster, namespace, definitions, progress: &progress, done: &done, given_up };
    let finish = async {
        removal.run().await?;
        // The operators that Helm is about to remove must find it for as long as they live.
        if has_namespace && !mark.goes_with_helm().await? {
            mark.remove().await?;
        }
        Ok(())
    };
    let ended = match taken_off {
        Ok(()) => bounds.within(finish).await,
        Err(cut) => Err(cut),
    };
    Ok(report(ended, &progress, done.take(), look(cluster, namespace, definitions)).await)
}

async fn report(
    ended: Result<(), Cut>,
    progress: &Progress,
    done: Done,
    look: impl Future<Output = anyhow::Result<Audit>>,
) -> Report {
    let (mut outcome, mut why) = match ended {
        Ok(()) => (Outcome::Uninstalled, String::new()),
        Err(Cut::Interrupted) => {
            let outcome = Outcome::Interrupted;
            return Report { outcome, why: progress.last(), next: next(outcome), done, audit: None };
        }
        Err(Cut::TimedOut) => (Outcome::TimedOut, progress.last()),
        Err(Cut::Failed(error)) => (Outcome::Failed, format!("{error:#}")),
    };
    let audit = match look.await {
        Ok(audit) => Some(audit),
        Err(error) if outcome == Outcome::Uninstalled => {
            (outcome, why) = (Outcome::Failed, format!("{error:#}"));
            None
        }
        Err(_) => None,
    };
    if outcome == Outcome::Uninstalled && !(audit.as_ref().is_some_and(|audit| audit.clean) && done.hosts.is_empty()) {
        outcome = Outcome::Incomplete;
    }
    Report { outcome, why, next: next(outcome), done, audit }
}

async fn look(cluster: &Cluster, namespace: &str, definitions: Definitions) -> anyhow::Result<Audit> {
    let looked = timeout(AUDIT, audit(cluster, namespace, definitions)).await;
    looked.unwrap_or_else(|_| Err(anyhow!("the look at what is left took too long; run `epiphyte audit`")))
}

async fn cancel(mark: Mark<'_>) -> anyhow::Result<ExitCode> {
    let found = mark.read().await?;
    let was_over = found.as_ref().is_some_and(crate::audit::is_over);
    mark.remove().await?;
    show::print(&match (found.is_some(), was_over) {
        (false, _) => format!("Epiphyte is not being uninstalled: nothing says so in namespace {}.\n", mark.namespace),
        (true, false) => {
            "Called off. Operators do again what the marks say: workloads that are marked are instrumented \
                          anew. Lumigoes that were deleted do not come back by themselves.\n"
                .to_owned()
        }
        (true, true) => "Called off, but everything was off already and operators had stopped. To have Epiphyte back, \
                         install it again; where its Deployment is still there, `kubectl rollout restart` it.\n"
            .to_owned(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn deadline(timeout: SignedDuration) -> anyhow::Result<Instant> {
    let timeout = Duration::try_from(timeout.min(LONGEST)).context("--timeout is a time from now on")?;
    Ok(Instant::now() + timeout)
}
