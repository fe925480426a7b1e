//! Runs processes through the `supervise` program, which takes them and their folder along when this process ends.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Error, Result, programs};

/// What a process is asked to run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Start {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// The whole environment, `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The file that its output is appended to.
    pub(crate) log: PathBuf,
}

/// What is known of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// It runs, as this process id.
    Running(u32),
    /// It never ran; the text says why.
    Failed(String),
    /// It ended; the text says how.
    Exited(String),
}

/// A process by the number it was started as.
pub(crate) type Id = u64;

#[derive(Serialize)]
struct Request<'a> {
    id: Id,
    start: Option<&'a Start>,
    stop: bool,
}

#[derive(Deserialize)]
struct Event {
    id: Id,
    folder: Option<PathBuf>,
    pid: Option<u32>,
    exited: Option<String>,
    failed: Option<String>,
}

/// What the supervisor told so far: written by the thread that reads its events.
#[derive(Debug, Default)]
struct Told {
    processes: BTreeMap<Id, Status>,
    /// Its output ended, so nothing more will be told.
    gone: bool,
}

/// The processes of one test and the folder that they work in.
#[derive(Debug)]
pub(crate) struct Supervisor {
    child: Child,
    folder: PathBuf,
    /// The way to the supervisor and the last id given out; closed on drop, which makes the supervisor clean up.
    requests: Mutex<(Option<ChildStdin>, Id)>,
    told: watch::Receiver<Told>,
}

impl Supervisor {
    /// Starts a supervisor with a new folder, whose name starts with `prefix`; blocks while it is built. With a list of what
    /// is let in and out, everything runs in a box.
    pub(crate) fn start(prefix: &str, forwards: Option<&[String]>) -> Result<Self> {
        let mut supervise = Command::new(programs::supervise()?);
        if let Some(forwards) = forwards {
            supervise.arg("--box").args(forwards.iter().map(|forward| format!("--forward={forward}")));
        }
        let mut child = supervise
            .arg(folder_for_folders())
            .arg(prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of reach of Ctrl-C, which is for us: it ends when we do.
            .process_group(0)
            .spawn()
            .map_err(|error| gone(format!("does not start: {error}")))?;
        let requests = Mutex::new((child.stdin.take(), 0));
        let mut events = BufReader::new(child.stdout.take().ok_or_else(|| gone("has no output"))?);
        let mut first = String::new();
        let read = events.read_line(&mut first);
        let folder = read.ok().and_then(|_| serde_json::from_str::<Event>(&first).ok()).and_then(|event| event.folder);
        let folder = folder.ok_or_else(|| gone(format!("made no folder in {}", folder_for_folders().display())))?;
        let (tell, told) = watch::channel(Told::default());
        std::thread::Builder::new()
            .name("supervisor-events".to_owned())
            .spawn(move || listen(events, &tell))
            .map_err(|error| gone(format!("cannot be listened to: {error}")))?;
        Ok(Self { child, folder, requests, told })
    }

    /// The folder, which only this user can enter and which goes with the supervisor.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a process; an error when it cannot be executed. Whether it keeps running is for `status` to tell.
    pub(crate) async fn run(&self, start: &Start) -> Result<Id> {
        let id = self.ask(None, Some(start))?;
        match self.when(id, |status| status.is_some()).await? {
            Some(Status::Failed(why)) => Err(gone(format!("cannot execute {:?}: {why}", start.argv.first()))),
            _ => Ok(id),
        }
    }

    /// Ends a process and what it started, as a crash would, and waits until it is gone.
    pub(crate) async fn stop(&self, id: Id) -> Result<()> {
        self.ask(Some(id), None)?;
        self.when(id, |status| !matches!(status, Some(Status::Running(_)))).await.map(drop)
    }

    /// Waits until a process has ended; tells how.
    pub(crate) async fn ended(&self, id: Id) -> Result<String> {
        match self.when(id, |status| matches!(status, Some(Status::Exited(_)))).await? {
            Some(Status::Exited(how)) => Ok(how),
            _ => Err(gone("lost a process")),
        }
    }

    /// What is known of a process now.
    pub(crate) fn status(&self, id: Id) -> Option<Status> {
        self.told.borrow().processes.get(&id).cloned()
    }

    /// Waits until a process' status is as wanted.
    async fn when(&self, id: Id, wanted: impl Fn(Option<&Status>) -> bool) -> Result<Option<Status>> {
        let mut told = self.told.clone();
        let told = told.wait_for(|told| told.gone || wanted(told.processes.get(&id))).await;
        match told {
            Ok(told) if !told.gone => Ok(told.processes.get(&id).cloned()),
            _ => Err(gone("has ended")),
        }
    }

    /// Sends a request to stop the process of an id, or to start one under a new id.
    fn ask(&self, id: Option<Id>, start: Option<&Start>) -> Result<Id> {
        let mut requests = self.requests.lock().map_err(|_| gone("is in an unknown state"))?;
        let (pipe, last) = &mut *requests;
        let id = id.unwrap_or_else(|| {
            *last += 1;
            *last
        });
        let mut line = serde_json::to_vec(&Request { id, start, stop: start.is_none() })
            .map_err(|error| gone(format!("cannot be asked: {error}")))?;
        line.push(b'\n');
        let pipe = pipe.as_mut().ok_or_else(|| gone("is ending"))?;
        pipe.write_all(&line).map_err(|error| gone(format!("does not listen: {error}")))?;
        Ok(id)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Ok(mut requests) = self.requests.lock() {
            requests.0 = None;
        }
        // It ends as soon as everything it started has; then all is gone when the drop returns.
        let _ = self.child.wait();
        // For the case that it was killed: the kernel ended the processes, but nobody removed the folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn listen(events: BufReader<ChildStdout>, tell: &watch::Sender<Told>) {
    for line in events.lines().map_while(std::io::Result::ok) {
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            break;
        };
        let status = match (event.pid, event.failed, event.exited) {
            (Some(pid), ..) => Status::Running(pid),
            (_, Some(why), _) => Status::Failed(why),
            (_, _, Some(how)) => Status::Exited(how),
            _ => continue,
        };
        tell.send_modify(|told| {
            told.processes.insert(event.id, status);
        });
    }
    tell.send_modify(|told| told.gone = true);
}

fn gone(problem: impl Into<String>) -> Error {
    Error::Supervisor { problem: problem.into() }
}

/// In memory where there is room, since etcd writes much; elsewhere the system's folder for temporary files.
fn folder_for_folders() -> PathBuf {
    /// More than what a test's etcd and audit log take.
    const ROOM: u64 = 1 << 30;
    let memory = Path::new("/dev/shm");
    let roomy = rustix::fs::statvfs(memory).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= ROOM);
    let writable = rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok();
    if roomy && writable { memory.to_owned() } else { std::env::temp_dir() }
}
