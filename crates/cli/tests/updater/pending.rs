//! Releases that somebody is at, or was.

use std::process::{Child, Stdio};

use super::charts::Chart;
use super::scene::{Garden, RELEASE, SCENE, said};
use super::support::until;

/// Waits until the last revision of the release has a status.
fn until_status(garden: &Garden, status: &str) {
    let holds = async || garden.history().last().is_some_and(|(found, _)| found == status);
    SCENE.block_on(async |_| until(&format!("{} is {status}", garden.namespace), holds).await);
}

/// Starts a program and kills it in the middle of an upgrade.
fn kill_in_the_middle(garden: &Garden, mut program: Child) {
    until_status(garden, "pending-upgrade");
    program.kill().expect("it is killed");
    program.wait().expect("it is gone");
}

#[test]
fn a_release_that_somebody_is_at_is_left_alone_and_one_that_was_left_pending_is_named_with_its_cure() {
    let garden = Garden::new("pending");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let file = garden.file("plant-0.2.0.tgz").display().to_string();
    let mut person = SCENE.helm_command(&["upgrade", RELEASE, &file, "--wait", "--namespace", garden.namespace]);
    kill_in_the_middle(&garden, person.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("helm runs"));

    let held = garden.update(&["--timeout", "10m"]);
    held.is("Held");
    assert!(held.why().contains("revision 2 is pending"), "{}", held.why());

    let stale = garden.update(&["--timeout", "1ms"]);
    stale.is("PendingTooLong");
    let next = stale.json()["next"].as_str().expect("a next step").to_owned();
    assert!(next.contains("`helm rollback garden 1 --namespace pending`"), "{next}");
    assert_eq!(garden.history().len(), 2, "an updater never breaks into what somebody may be at");

    garden.helm(&["rollback", RELEASE, "1"]);
    garden.offer(&[Chart::new("0.3.0")]);
    garden.update(&[]).is("Updated");
}

#[test]
fn an_updater_that_is_told_to_stop_rolls_back_and_the_next_one_tries_again() {
    let garden = Garden::new("stopped");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let command = garden.command(&["--timeout", "5m"]);
    let mut command = command;
    let updater = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the updater runs");
    until_status(&garden, "pending-upgrade");
    let pid = updater.id().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(told.success());
    let ended = updater.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(13), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(garden.history().last(), Some(&("deployed".to_owned(), "plant-0.1.0".to_owned())));
    assert_eq!(garden.update(&["--timeout", "3s"]).outcome(), "RolledBack", "it says nothing of the version");
}

#[test]
fn what_an_updater_that_was_killed_left_behind_is_rolled_back_by_the_next_one() {
    let garden = Garden::new("killed");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let mut command = garden.command(&["--timeout", "3s"]);
    kill_in_the_middle(&garden, command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the updater runs"));
    // Its Helm lives on for as long as it waits.
    until_status(&garden, "failed");
    let planned = garden.update(&["--dry-run"]);
    planned.is("NotDeployed");
    let rolled_back = garden.update(&["--timeout", "3s"]);
    rolled_back.is("RolledBack");
    assert!(rolled_back.why().contains("ended before it could roll back"), "{}", rolled_back.why());
    assert_eq!(garden.history().last(), Some(&("deployed".to_owned(), "plant-0.1.0".to_owned())));
    garden.update(&["--timeout", "3s"]).is("FailedBefore");
}

#[test]
fn a_release_that_somebody_elses_upgrade_left_failed_is_theirs() {
    let garden = Garden::new("theirs");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let file = garden.file("plant-0.2.0.tgz").display().to_string();
    let arguments = ["upgrade", RELEASE, &file, "--wait", "--timeout", "100ms", "--namespace", garden.namespace];
    let failed = SCENE.helm_command(&arguments).output().expect("helm runs");
    assert!(!failed.status.success());
    let theirs = said(garden.command(&[]));
    theirs.is("NotDeployed");
    assert!(
        theirs.json()["next"].as_str().is_some_and(|next| next.contains("helm rollback garden 1")),
        "{}",
        theirs.text
    );
    assert_eq!(garden.history().len(), 2);
}
