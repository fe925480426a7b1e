//! Upgrades that go well.

use epiphyte_testbed::otlp::{Receiver, Signal};
use serde_json::json;

use super::charts::Chart;
use super::scene::{CRON_JOB, Garden, RELEASE, SCENE, said};

#[test]
fn a_newer_version_is_installed_with_the_values_that_were_set_and_the_new_defaults_of_all_others() {
    let garden = Garden::with("newer", &["--set", "color=red"]);
    garden.offer(&[Chart::new("0.2.0").values(json!({ "color": "blue", "size": 2, "token": "" }))]);
    let said = garden.update(&[]);
    said.is("Updated");
    let told = said.json();
    assert_eq!((&told["from"], &told["to"]), (&json!("0.1.0"), &json!("0.2.0")));
    assert_eq!(told["plan"]["kept"], json!(["color"]));
    assert_eq!(told["plan"]["values"], json!([{ "path": "size", "before": 1, "after": 2 }]));

    let config = ["color", "size", "version"].map(|key| garden.config(key).expect("a value"));
    assert_eq!(config, ["red", "2", "0.2.0"]);
    assert_eq!(garden.history().last(), Some(&("deployed".to_owned(), "plant-0.2.0".to_owned())));
    assert_eq!(garden.update(&[]).outcome(), "UpToDate");
    assert_eq!(garden.history().len(), 2, "nothing is done where nothing is to do");
}

#[test]
fn an_outcome_is_told_by_an_event_and_a_note_on_the_cron_job_and_by_a_metric() {
    let receiver = Receiver::on_loopback().expect("a receiver");
    let garden = Garden::new("told");
    garden.offer(&[Chart::new("0.2.0")]);
    garden.update(&["--otlp-endpoint", receiver.url()]).is("Updated");

    let events = garden.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let (reason, message) = &events[0];
    assert_eq!(reason, "Updated");
    assert!(message.starts_with("garden 0.1.0 to 0.2.0: The release was upgraded"), "{message}");
    let note = garden.note().expect("a note");
    assert_eq!((&note["outcome"], &note["to"]), (&json!("Updated"), &json!("0.2.0")));

    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].signal, Signal::Metrics);
    let metric = &requests[0].items[0];
    assert_eq!(metric.name, "epiphyte.updater.run");
    let attribute = |key: &str| metric.attributes.get(key).map(String::as_str);
    let told = ["outcome", "release", "from", "to"].map(attribute);
    assert_eq!(told, [Some("Updated"), Some(RELEASE), Some("0.1.0"), Some("0.2.0")]);
    assert_eq!(metric.resource.get("k8s.namespace.name").map(String::as_str), Some("told"));
}

#[test]
fn what_cannot_be_told_spoils_no_upgrade() {
    let garden = Garden::new("untold");
    garden.offer(&[Chart::new("0.2.0")]);
    let said = garden.update(&["--otlp-endpoint", "http://127.0.0.1:1", "--cron-job", "another"]);
    said.is("Updated");
    assert!(said.log.contains("the metric is not sent"), "{}", said.log);
    assert!(said.log.contains("there is no such CronJob"), "{}", said.log);
    assert!(garden.note().is_none());
}

#[test]
fn of_two_updaters_at_once_one_makes_the_upgrade() {
    let garden = Garden::new("two");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let [one, other] = [(), ()].map(|()| {
        let command = garden.command(&["--timeout", "4s"]);
        std::thread::spawn(move || said(command).outcome())
    });
    let mut outcomes = [one, other].map(|updater| updater.join().expect("an updater"));
    outcomes.sort();
    // The second may be so late that the first is done.
    assert!(outcomes == ["Held", "RolledBack"] || outcomes == ["FailedBefore", "RolledBack"], "{outcomes:?}");
    assert_eq!(garden.history().len(), 3, "one upgrade and one rollback");
}

#[test]
fn a_run_for_people_says_what_was_done_and_help_names_every_exit_status() {
    let garden = Garden::new("people");
    garden.offer(&[Chart::new("0.2.0")]);
    let printed = garden.update(&["--output", "text"]);
    assert_eq!(printed.status, 0, "{}", printed.log);
    assert!(printed.text.contains("Objects that change:\n  change ConfigMap garden-config\n"), "{}", printed.text);
    assert!(printed.text.contains("\nUpdated: garden 0.1.0 to 0.2.0: "), "{}", printed.text);

    let help = said(garden.command_with(&["--help"])).text;
    for outcome in epiphyte_updater::Outcome::ALL {
        assert!(help.contains(outcome.code()), "{outcome} is not in the help");
    }
}

#[test]
fn what_is_missing_is_named() {
    let garden = Garden::new("missing");
    let no_helm = garden.update(&["--helm", "no-such-helm"]);
    no_helm.is("CannotRun");
    assert!(no_helm.why().contains("no-such-helm"), "{}", no_helm.why());

    let no_release = garden.update(&["--release", "another"]);
    no_release.is("NotDeployed");
    assert!(no_release.why().contains("there is no release another in namespace missing"), "{}", no_release.why());

    let kubeconfig = std::fs::read_to_string(SCENE.cluster.plane.kubeconfig()).expect("a kubeconfig");
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = folder.path().join("kubeconfig");
    std::fs::write(&nobody, kubeconfig.replace(&SCENE.cluster.plane.url(), "https://127.0.0.1:1")).expect("a file");
    let mut command = garden.command(&[]);
    command.env("KUBECONFIG", nobody);
    let no_server = said(command);
    no_server.is("CannotRun");
    assert!(no_server.why().contains("127.0.0.1:1"), "{}", no_server.why());

    let wrong = garden.command_with(&["--chart", "plant"]);
    let wrong = said(wrong);
    assert_eq!((wrong.status, wrong.text.as_str()), (2, ""));
    assert!(wrong.log.contains("--repository"), "{}", wrong.log);

    let reasons: Vec<_> = garden.events().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(SCENE.block_on(async |cluster| cluster.get("batch/v1", "cronjobs", "missing", CRON_JOB).await).is_some());
}
