//! One Go container: finds its process, and runs OpenTelemetry's Go instrumentation beside it for as long as it lives.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::Language;
use epiphyte_daemon::{Backoff, chain};
use epiphyte_detect::Wanted;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process, pidfd_open, prlimit};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt as _, BufReader, Interest, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::environment::variables;
use super::outcome::Outcome;
use crate::endpoints::Endpoints;
use crate::identity::Identities;
use crate::metrics::Metrics;
use crate::pods::Pod;
use crate::scans::Scans;

/// Most writable memory of the program, in bytes, and the heap that it tries to keep below. Go reserves memory in pieces of
/// 64 MiB, so the first has to be well above the second.
const MEMORY: u64 = 512 << 20;
const HEAP: &str = "160MiB";

/// How long the program may take to send what it has, once its process has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// A program that ran this long is started again soon when it ends.
const WELL_AFTER: Duration = Duration::from_mins(5);

/// Lines of the program that are looked at when it has ended.
const LAST_LINES: usize = 20;

/// Most bytes of a process's environment that are read.
const ENVIRONMENT_LIMIT: u64 = 256 * 1024;

/// What the program says.
type Said = Lines<BufReader<ChildStderr>>;

/// What all sessions have in common.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) scans: Scans,
    pub(crate) identities: Identities,
    /// The program.
    pub(crate) program: Arc<PathBuf>,
    /// The host's proc folder.
    pub(crate) proc_folder: Arc<PathBuf>,
    /// Where telemetry is sent.
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) metrics: Metrics,
}

/// One Go container.
pub(crate) struct Session {
    pub(crate) tools: Tools,
    pub(crate) pod: Arc<Pod>,
    pub(crate) container: Box<str>,
    /// The container runtime's id of the container.
    pub(crate) id: Box<str>,
}

impl Session {
    /// Instruments the container until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (namespace, pod, container) = (&*self.pod.key.namespace, &*self.pod.key.name, &*self.container);
        let mut backoff = Backoff::new(1_000, 300_000);
        while !stop.is_cancelled() {
            let started = Instant::now();
            let (outcome, last) = self.once(&stop).await;
            self.tools.metrics.go_session(outcome.as_str());
            let reason = outcome.as_str();
            match outcome {
                Outcome::Stopped | Outcome::ProcessEnded => {
                    info!(namespace, pod, container, reason, "Go instrumentation ended");
                }
                Outcome::NoProcess => debug!(namespace, pod, container, reason, "no Go process yet"),
                _ => warn!(namespace, pod, container, reason, last, "Go instrumentation ended; trying again"),
            }
            if outcome == Outcome::ProcessEnded || started.elapsed() > WELL_AFTER {
                backoff.reset();
            }
            // Told to stop or not, the loop looks.
            let _ = stop.run_until_cancelled(tokio::time::sleep(backoff.wait())).await;
        }
    }

    /// Instruments the process that runs now, and tells how it ended and what was said last.
    async fn once(&self, stop: &CancellationToken) -> (Outcome, String) {
        let pid = match self.process().await {
            Ok(pid) => pid,
            Err(outcome) => return (outcome, String::new()),
        };
        let ended = match Ended::of(pid) {
            Ok(ended) => ended,
            Err(error) => return (Outcome::NoProcess, error.to_string()),
        };
        let mut child = match self.start(pid).await {
            Ok(child) => child,
            Err(error) => return (Outcome::CannotStart, chain(&error)),
        };
        info!(
            namespace = &*self.pod.key.namespace,
            pod = &*self.pod.key.name,
            container = &*self.container,
            pid,
            "instrumenting a Go process"
        );
        let _running = Running::new(&self.tools.metrics);
        // Kept to the end: the program would die of a pipe that nobody holds.
        let mut said = child.stderr.take().map(|errors| BufReader::new(errors).lines());
        let mut last = VecDeque::new();
        let outcome = tokio::select! {
            () = stop.cancelled() => Outcome::Stopped,
            () = ended.wait() => Outcome::ProcessEnded,
            signalled = self.listen(&mut child, said.as_mut(), &mut last) => {
                Outcome::of_end(last.iter().map(String::as_str), signalled)
            }
        };
        if matches!(outcome, Outcome::Stopped | Outcome::ProcessEnded) {
            part(&mut child).await;
        }
        (outcome, last.pop_back().unwrap_or_default())
    }

    async fn process(&self) -> Result<u32, Outcome> {
        let wanted = Wanted::default().container(&*self.id);
        let sightings = self.tools.scans.scan(wanted).await.map_err(|_| Outcome::NoProcess)?;
        let runtime = sightings.into_iter().next().ok_or(Outcome::NoProcess)?.runtime;
        match (runtime.language, runtime.process) {
            (Ok(Language::Go), Some(process)) => Ok(process.pid),
            (Ok(_), _) => Err(Outcome::NotGo),
            _ => Err(Outcome::NoProcess),
        }
    }

    async fn start(&self, pid: u32) -> io::Result<Child> {
        let mut environment = Vec::new();
        let file = std::fs::File::open(self.tools.proc_folder.join(pid.to_string()).join("environ"));
        if let Ok(file) = file {
            file.take(ENVIRONMENT_LIMIT).read_to_end(&mut environment)?;
        }
        let attributes = self.tools.identities.attributes(&self.pod, &self.container).await;
        let child = Command::new(&*self.tools.program)
            .env_clear()
            .envs(variables(&environment, &attributes.to_text(), &self.tools.endpoints))
            .env("OTEL_GO_AUTO_TARGET_PID", pid.to_string())
            .env("GOMEMLIMIT", HEAP)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(pid) = pid_of(&child) {
            prlimit(Some(pid), Resource::Data, Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) })?;
        }
        Ok(child)
    }

    /// Listens to what the program says until it ends; tells whether a signal ended it.
    async fn listen(&self, child: &mut Child, said: Option<&mut Said>, last: &mut VecDeque<String>) -> bool {
        if let Some(lines) = said {
            let mut limit = None;
            while let Ok(Some(line)) = lines.next_line().await {
                debug!(pod = &*self.pod.key.name, line, "Go instrumentation says");
                if let Some(found) = Outcome::of_limit(&line).filter(|_| limit.is_none()) {
                    limit = Some(found);
                    self.tools.metrics.go_session(found.as_str());
                    let reason = found.as_str();
                    warn!(pod = &*self.pod.key.name, reason, line, "Go instrumentation is limited by this kernel");
                }
                last.push_back(line);
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            }
        }
        child.wait().await.is_ok_and(|status| status.signal().is_some())
    }
}

/// Lets a program send what it has, and ends it.
async fn part(child: &mut Child) {
    // It may have ended already, and if it does not end it is killed.
    let _ = pid_of(child).map(|pid| kill_process(pid, Signal::TERM));
    if timeout(FAREWELL, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(child.id()?.cast_signed())
}

/// The end of a process that is not our child.
struct Ended(AsyncFd<rustix::fd::OwnedFd>);

impl Ended {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may close their descriptor; this one does not"
    )]
    fn of(pid: u32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::NotFound)?;
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self(AsyncFd::with_interest(handle, Interest::READABLE)?))
    }

    async fn wait(&self) {
        // It becomes readable when the process ends; if that could not be told, ending the instrumentation is right too.
        let _ = self.0.readable().await;
    }
}

/// Counts a program that runs.
struct Running<'m>(&'m Metrics);

impl<'m> Running<'m> {
    fn new(metrics: &'m Metrics) -> Self {
        metrics.go_running.inc();
        Self(metrics)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.go_running.dec();
    }
}
