//! `epiphyte doctor` as a person runs it, against a real API server with the real operator: a cluster that is well, and things
//! broken on purpose, each of which is found with its cure. No kubelet runs: the test plays what pods say of themselves.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod breakages;
mod ground;
#[path = "../support/mod.rs"]
mod support;

use ground::{Ground, doctor, doctor_as};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_broken_is_found_with_its_cure_and_is_well_again_after_it() {
    let Some(mut ground) = Ground::bare().await else {
        return epiphyte_testbed::skipped("this machine has no address but its loopback");
    };
    breakages::nothing_is_installed(&ground);
    ground.install().await;
    ground.until_well().await;
    breakages::of_definitions(&ground).await;
    breakages::of_the_operator(&ground).await;
    breakages::of_nodes(&ground).await;
    breakages::of_rights(&ground).await;
    breakages::of_telemetry(&mut ground).await;
    breakages::of_neighbours(&ground).await;
    breakages::of_workloads(&ground).await;
    breakages::of_the_webhook(&ground).await;
    breakages::of_the_certificate(ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_is_not_known_and_says_which_right_is_missing() {
    let cluster = Cluster::bare().await;
    let nobody = cluster.plane.user("nobody", &[]).expect("a kubeconfig");
    let said = doctor_as(&nobody);
    assert_eq!((said.code, said.report["verdict"].as_str()), (Some(1), Some("notKnown")), "{said:#?}");
    let found: Vec<_> = said.found("NotTold").iter().map(|it| it["found"].as_str().unwrap_or_default()).collect();
    for right in ["get on customresourcedefinitions", "list on deployments.apps", "list on nodes", "list on lumigoes"] {
        assert!(found.iter().any(|it| it.contains(&format!("grant the verb {right}"))), "{right}: {found:#?}");
    }
    // What is asked of the API server alone is known.
    assert_eq!(said.check("apiServer")["health"], "ok", "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let address = free_address();
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{ "name": "away", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "away", "user": {} }],
        "contexts": [{ "name": "away", "context": { "cluster": "away", "user": "away" } }],
    });
    std::fs::write(&kubeconfig, text.to_string()).expect("it is written");
    let said = doctor_as(&kubeconfig);
    assert!(said.code == Some(1) && said.error.contains(&address), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    let said = doctor(&cluster);
    // The webhook was tried, by a dry run.
    assert_eq!(said.check("admission")["health"], "ok", "{said:#?}");
    let writes = cluster.writes_of(ground::PERSON, mark);
    let lasting: Vec<_> = writes
        .iter()
        .filter(|it| !it.request_uri.contains("dryRun=All") && !it.request_uri.contains("subjectaccessreviews"))
        .collect();
    assert!(lasting.is_empty(), "{lasting:?}");
    drop(operator);
}
