//! A disk that is full under the queue.

use std::path::{Path, PathBuf};
use std::process::Command;

use epiphyte_testbed::otlp::{Answer, Receiver, Signal};

use crate::client::{body, post};
use crate::proxy::{Proxy, ProxyOptions};
use crate::{authorization, until};

/// A file system of its own, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Why there is none, where that cannot be.
    fn mount(folder: &Path, mib: u32) -> Result<Self, String> {
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).output();
        let mounted = mounted.map_err(|error| format!("mount cannot be run: {error}"))?;
        if !mounted.status.success() {
            return Err(format!("no file system can be mounted: {}", String::from_utf8_lossy(&mounted.stderr).trim()));
        }
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_under_the_queue_is_told_to_senders_and_loses_nothing_that_was_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = match Disk::mount(folder.path(), 24) {
        Ok(disk) => disk,
        Err(why) => return epiphyte_testbed::skipped(&why),
    };
    let upstream = Receiver::on_loopback().expect("a receiver");
    let queue = Some(folder.path().join("queue"));
    let options = ProxyOptions { upstream: upstream.url().to_owned(), queue, ..ProxyOptions::default() };
    let proxy = Proxy::start(&options, &['a']);
    let collector = proxy.collector("traffic");
    upstream.answer(Answer::Refuse(503, None));
    let send = |number: usize| {
        let name = format!("{number} {}", "x".repeat(100_000));
        let body = body(Signal::Traces, &name);
        post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body).map(|it| it.status)
    };
    let mut accepted = 0;
    let refused = loop {
        match send(accepted) {
            Some(200) => accepted += 1,
            other => break other,
        }
        assert!(accepted < 1_000, "the disk is never full");
    };
    // By which an agent knows to try again.
    assert_eq!(refused, Some(503));
    until("the proxy says that it takes nothing", || {
        let _ = send(accepted);
        !proxy.admin.is_ready()
    });
    assert!(proxy.logged("no space left on device") > 0, "it does not say why");

    upstream.answer(Answer::Accept);
    until("all that was accepted has arrived", || {
        let numbers: std::collections::BTreeSet<usize> =
            upstream.spans().iter().filter_map(|span| span.name.split(' ').next()?.parse().ok()).collect();
        (0..accepted).all(|number| numbers.contains(&number))
    });
    until("it takes what comes again", || send(accepted) == Some(200));
    until("it says so", || proxy.admin.is_ready());
    assert_eq!(proxy.collector("traffic"), collector, "the Collector went on");
    drop(proxy);
    drop(disk);
}
