//! Nothing is left of a control plane, however its process ends.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use epiphyte_testbed::{Component, ControlPlane};
use support::{parent, processes_about};

/// Set for the process that is to be killed.
const VICTIM: &str = "EPIPHYTE_TESTBED_VICTIM";
const COMPONENTS: [Component; 3] = [Component::Etcd, Component::ApiServer, Component::ControllerManager];

/// Whether a process is there and not only waits to be buried.
fn lives(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_dropped_control_plane_leaves_neither_processes_nor_folder() {
    let plane = ControlPlane::start().await.expect("start");
    let folder = plane.folder().to_owned();
    assert_eq!(processes_about(folder.to_str().expect("text")).len(), COMPONENTS.len());
    drop(plane);
    assert!(!folder.exists());
    assert!(processes_about(folder.to_str().expect("text")).is_empty());
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_processes_along_and_the_drop_removes_the_folder() {
    let plane = ControlPlane::start().await.expect("start");
    let folder = plane.folder().to_owned();
    let supervisor = parent(plane.pid(Component::Etcd).expect("runs"));
    assert!(Command::new("kill").args(["-KILL", &supervisor.to_string()]).status().expect("run kill").success());
    eventually("the end of the processes", || processes_about(folder.to_str().expect("text")).is_empty());
    assert!(plane.restart(Component::ApiServer).await.expect_err("no supervisor").to_string().contains("supervisor"));
    drop(plane);
    assert!(!folder.exists());
}

#[test]
fn a_killed_test_leaves_neither_processes_nor_folder() {
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the victim");
    let output = BufReader::new(victim.stdout.take().expect("output"));
    let line = output.lines().map(|line| line.expect("read")).find(|line| line.contains("plane in "));
    let folder = PathBuf::from(line.expect("a control plane").rsplit(' ').next().expect("a folder"));
    let processes = processes_about(folder.to_str().expect("text"));
    assert_eq!(processes.len(), COMPONENTS.len());
    let supervisor = parent(processes[0]);

    victim.kill().expect("kill");
    victim.wait().expect("bury");
    eventually("the end of the folder", || !Path::new(&folder).exists());
    eventually("the end of the supervisor", || !lives(supervisor));
    assert!(processes_about(folder.to_str().expect("text")).is_empty());
}

/// Does nothing by itself: the test above runs it in a process of its own, and kills that.
#[tokio::test]
async fn the_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let plane = ControlPlane::start().await.expect("start");
    println!("plane in {}", plane.folder().display());
    let mut line = String::new();
    // Until the end of the world, which is near.
    let _ = std::io::stdin().read_line(&mut line);
    drop(plane);
}
