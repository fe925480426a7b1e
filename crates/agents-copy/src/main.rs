//! Puts the agents into the volume of a pod: `agents-copy <folder>` copies what is in the folder to `TARGET_DIRECTORY`.
//!
//! It is the init container of the injector delivery, and the pod waits for it. So it does nothing else.

mod copy;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::fs::Mode;

/// The folder that is filled.
const TARGET: &str = "TARGET_DIRECTORY";

/// Where Kubernetes looks for the reason of an end, which it shows with the pod.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// It was called in a way that cannot work; the other failures are those of copying.
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    // The pod's containers may run as any user.
    rustix::process::umask(Mode::empty());
    let (from, to) = match places() {
        Ok(places) => places,
        Err(misuse) => return fail(&misuse, ExitCode::from(MISUSE)),
    };
    match copy::copy(&from, &to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure.to_string(), ExitCode::FAILURE),
    }
}

/// Where from and where to.
fn places() -> Result<(PathBuf, PathBuf), String> {
    let from = std::env::args_os().nth(1).ok_or("called without the folder to copy")?;
    let to = std::env::var_os(TARGET).filter(|target| *target != OsString::new());
    let to = PathBuf::from(to.ok_or_else(|| format!("{TARGET} is not set"))?);
    match fs::metadata(&to) {
        Ok(there) if there.is_dir() => Ok((from.into(), to)),
        Ok(_) => Err(format!("{TARGET} is {}, which is no folder", to.display())),
        Err(error) => Err(format!("{TARGET} is {}, which cannot be used: {error}", to.display())),
    }
}

/// Tells on standard error and, in a pod, where `kubectl describe` finds it. Who cannot be told is not told.
fn fail(message: &str, code: ExitCode) -> ExitCode {
    let message = format!("error: the agents are not in place: {message}\n");
    let _ = io::stderr().write_all(message.as_bytes());
    let _ = File::options().write(true).open(TERMINATION_LOG).and_then(|mut log| log.write_all(message.as_bytes()));
    code
}
