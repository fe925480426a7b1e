//! Versions that do not come up.

use super::charts::Chart;
use super::scene::Garden;
use super::scene::SCENE;
use super::support::until;
use serde_json::json;

/// Long enough for Helm to look twice, for what never gets ready.
const SHORT: [&str; 2] = ["--timeout", "3s"];

#[test]
fn a_version_that_fails_is_rolled_back_with_its_reason_and_not_tried_again() {
    let garden = Garden::new("broken");
    garden.offer(&[Chart::new("0.2.0").that_is_refused()]);
    let failed = garden.update(&SHORT);
    failed.is("RolledBack");
    let reason = "Deployment broken/garden-app: FailedCreate:";
    assert!(failed.why().contains(reason) && failed.why().contains("nobody-made-it"), "{}", failed.why());
    let (event, message) = garden.events().pop().expect("an Event");
    assert_eq!(event, "RolledBack");
    assert!(message.contains(reason) && message.contains("--retry"), "{message}");
    let history = garden.history();
    let statuses: Vec<&str> = history.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);
    assert_eq!(garden.config("version").as_deref(), Some("0.1.0"));
    let gone = async || SCENE.cluster.get("apps/v1", "deployments", "broken", "garden-app").await.is_none();
    SCENE.block_on(async |_| until("what the version brought is gone", gone).await);

    let again = garden.update(&SHORT);
    again.is("FailedBefore");
    assert!(again.why().contains(reason), "the reason is kept: {}", again.why());
    assert_eq!(garden.history().len(), 3);

    garden.update(&["--timeout", "3s", "--retry"]).is("RolledBack");
    garden.offer(&[Chart::new("0.3.0")]);
    garden.update(&SHORT).is("Updated");
    assert_eq!(garden.config("version").as_deref(), Some("0.3.0"));
}

#[test]
fn a_version_that_failed_is_tried_again_when_it_is_another_archive_or_the_release_was_changed() {
    let garden = Garden::new("corrected");
    garden.offer(&[Chart::new("0.2.0").that_fails()]);
    let failed = garden.update(&SHORT);
    failed.is("RolledBack");
    assert!(failed.why().contains("0 of 1 pods are ready"), "{}", failed.why());
    garden.update(&SHORT).is("FailedBefore");

    garden.helm(&["upgrade", "garden", &garden.file("plant-0.1.0.tgz").display().to_string(), "--set", "color=red"]);
    garden.update(&SHORT).is("RolledBack");
    garden.update(&SHORT).is("FailedBefore");

    garden.offer(&[Chart::new("0.2.0")]);
    garden.update(&SHORT).is("Updated");
    assert_eq!(garden.config("color").as_deref(), Some("red"));
}

#[test]
fn what_helm_or_the_api_server_refuses_changes_nothing() {
    let garden = Garden::with("refused", &["--set", "color=red,token=t_never_shown"]);
    let one_of = |texts: [&str; 2]| json!({ "enum": texts });
    let pattern = json!({ "pattern": "^x$" });
    let colors = json!({ "properties": { "color": one_of(["green", "blue"]), "token": pattern } });
    garden.offer(&[Chart::new("0.2.0").schema(colors)]);
    let refused = garden.update(&[]);
    refused.is("UpgradeRefused");
    assert!(refused.why().contains("color") && refused.why().contains("(hidden)"), "{}", refused.why());
    assert!(!format!("{}{}", refused.text, refused.log).contains("t_never_shown"), "{}", refused.why());
    assert!(!format!("{:?}{:?}", garden.events(), garden.note()).contains("t_never_shown"));

    garden.offer(&[Chart::new("0.3.0").template("bad.yaml", "{{ required \"a name is needed\" .Values.name }}")]);
    let refused = garden.update(&[]);
    refused.is("UpgradeRefused");
    assert!(refused.why().contains("a name is needed"), "{}", refused.why());

    garden
        .offer(&[Chart::new("0.4.0")
            .template("bad.yaml", "apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: x}\n")]);
    let refused = garden.update(&[]);
    refused.is("UpgradeRefused");
    assert!(refused.why().contains("Nothing"), "{}", refused.why());
    assert_eq!(garden.history().len(), 1);
}
