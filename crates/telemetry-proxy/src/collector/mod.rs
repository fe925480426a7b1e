//! One Collector: a process that is kept alive, reads its configuration again when that changes, and ends when it is told to.

mod hang;
mod output;
mod validate;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use epiphyte_daemon::Backoff;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::memory::Share;
use crate::metrics::Metrics;

pub(crate) use validate::Invalid;

/// A process that lived for this long was well: the wait before its next start is short again.
const WELL: Duration = Duration::from_secs(3);

/// How long a Collector may take to end; then it is killed.
const END: Duration = Duration::from_secs(10);

/// What a Collector is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// There is nothing for it to do: it does not run.
    Rest,
    /// It runs, with its configuration of this number.
    Run(u64),
    /// It ends for good.
    End,
}

/// How a Collector is started.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    /// Its name in logs and metrics.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its configuration.
    pub(crate) configuration: PathBuf,
    /// What a user adds to that.
    pub(crate) extra: Option<PathBuf>,
    /// The port on loopback where it serves its metrics.
    pub(crate) port: u16,
    /// Its memory.
    pub(crate) memory: Share,
    pub(crate) metrics: Metrics,
    /// How often it has come up: after each start, and each time that it has read its configuration again.
    pub(crate) ups: watch::Sender<u64>,
    /// Whether it said, since it started or read its configuration again, that it misses something of what it watches.
    pub(crate) misses: watch::Sender<bool>,
}

/// Why a process is no more.
enum Ended {
    /// By itself.
    ByItself(ExitStatus),
    /// It gave no answer any more, and was killed.
    Hung,
    /// As it was wished.
    AsWished,
}

impl Collector {
    /// Does what is wished, until the wish is to end or nobody is left to wish.
    pub(crate) async fn run(self, mut wishes: watch::Receiver<Wish>) {
        let mut backoff = Backoff::new(200, 10_000);
        // Once nobody is left to wish, there is no waiting for a wish either.
        while wishes.has_changed().is_ok() {
            let wish = *wishes.borrow_and_update();
            let number = match wish {
                Wish::End => return,
                Wish::Rest => {
                    let _ = wishes.changed().await;
                    continue;
                }
                Wish::Run(number) => number,
            };
            let started = Instant::now();
            match self.start() {
                Ok((child, before)) => match self.attend(child, before, number, &mut wishes).await {
                    Ended::AsWished => continue,
                    Ended::ByItself(status) => {
                        self.metrics.exits.of(self.name).inc();
                        warn!(collector = self.name, %status, "the Collector ended; starting it again");
                    }
                    Ended::Hung => {
                        self.metrics.hangs.of(self.name).inc();
                        let seconds = hang::LIMIT.as_secs();
                        warn!(
                            collector = self.name,
                            seconds, "the Collector gave no answer for too long, and was killed; starting it again"
                        );
                    }
                },
                Err(error) => {
                    warn!(collector = self.name, %error, program = %self.program.display(), "cannot start the Collector");
                }
            }
            if started.elapsed() >= WELL {
                backoff.reset();
            }
            // A new wish may well be what it takes.
            let _ = timeout(backoff.wait(), wishes.changed()).await;
        }
    }

    /// What it is told to read: a configuration, and what is merged into that.
    fn arguments(&self, configuration: &Path) -> Vec<String> {
        let files = std::iter::once(configuration).chain(self.extra.as_deref());
        files.flat_map(|file| ["--config".to_owned(), format!("file:{}", file.display())]).collect()
    }

    /// Starts the process; gives it, and how often the Collector had come up before.
    fn start(&self) -> std::io::Result<(Child, u64)> {
        let before = *self.ups.borrow();
        let mut child = Command::new(&self.program)
            .args(self.arguments(&self.configuration))
            .env("GOMEMLIMIT", self.memory.for_go())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(said) = child.stderr.take() {
            tokio::spawn(output::forward(self.name, said, self.ups.clone(), self.misses.clone()));
        }
        self.metrics.starts.of(self.name).inc();
        info!(collector = self.name, pid = child.id(), "started the Collector");
        Ok((child, before))
    }

    /// Looks after a process until it is no more.
    async fn attend(
        &self,
        mut child: Child,
        before: u64,
        mut number: u64,
        wishes: &mut watch::Receiver<Wish>,
    ) -> Ended {
        let hung = hang::hung(self.port);
        tokio::pin!(hung);
        loop {
            let wish = tokio::select! {
                // An error is one of waiting, which does not happen to one's own child.
                Ok(status) = child.wait() => return Ended::ByItself(status),
                () = &mut hung => {
                    // It would not hear a gentler word. What it accepted is on disk.
                    let _ = child.kill().await;
                    return Ended::Hung;
                }
                changed = wishes.changed() => changed.map_or(Wish::End, |()| *wishes.borrow_and_update()),
            };
            match wish {
                Wish::Run(wished) if wished == number => {}
                // Until it is up it does not know the signal, and would die of it: it is started anew instead.
                Wish::Run(_) if *self.ups.borrow() == before => {
                    self.end(child).await;
                    return Ended::AsWished;
                }
                Wish::Run(wished) => {
                    number = wished;
                    self.metrics.reloads.of(self.name).inc();
                    info!(collector = self.name, "told the Collector to read its configuration again");
                    signal(&child, Signal::HUP);
                }
                Wish::Rest | Wish::End => {
                    self.end(child).await;
                    return Ended::AsWished;
                }
            }
        }
    }

    async fn end(&self, mut child: Child) {
        signal(&child, Signal::TERM);
        match timeout(END, child.wait()).await {
            Ok(_) => info!(collector = self.name, "the Collector ended as it was told"),
            Err(_) => {
                warn!(collector = self.name, "the Collector did not end in time, and was killed");
                let _ = child.kill().await;
            }
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // One that has ended meanwhile is seen to have.
        let _ = kill_process(pid, signal);
    }
}
