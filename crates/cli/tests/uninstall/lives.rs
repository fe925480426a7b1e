//! With an operator that lives, is dead, or dies; again; and a new installation after each.

use std::collections::BTreeSet;

use epiphyte_api::WorkloadKind::Deployment;

use crate::scene::*;
use crate::support::*;

/// How many workloads are to be restored when the operator dies.
const FLEET: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_alive_everything_goes_and_can_come_back() {
    let cluster = Cluster::ready().await;
    let retired = with_a_living_operator(&cluster).await;
    a_second_time_there_is_nothing_to_do(&cluster).await;
    with_an_operator_that_is_dead_from_the_start(&cluster).await;
    // It has seen the end of its own installation, and leaves the next one alone.
    assert!(retired.stop(), "it waits to be stopped");
    with_an_operator_that_dies_in_the_middle(&cluster).await;
}

/// As a person installs who has uninstalled before.
async fn install(cluster: &Cluster) -> Operator {
    cluster.define();
    cluster.collectors("gateway", Ready::Yes).await;
    offer_devices(cluster).await;
    cluster.operator(&short_lease()).await
}

/// Names of the Deployments that a user has patched.
fn patched(cluster: &Cluster, user: &str, mark: epiphyte_testbed::Mark) -> BTreeSet<String> {
    let writes = cluster.writes_of(user, mark).into_iter();
    let patches = writes.filter(|entry| entry.verb == "patch" && entry.is_about("deployments"));
    patches.filter_map(|entry| Some(entry.object_ref?.name)).collect()
}

async fn with_a_living_operator(cluster: &Cluster) -> Operator {
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(cluster).await;
    let (found, code) = audit(cluster, &[]);
    for expected in ["Deployment shop/cart", "CronJob shop/nightly", "Deployment shop/mail", "Deployment traced/till"] {
        assert!(found.contains(&expected.to_owned()), "{expected} is not among {found:?}");
    }
    for expected in ["Lumigo traced/lumigo", "InstrumentedApplication shop/deployment-cart", "Node /node-1"] {
        assert!(found.contains(&expected.to_owned()), "{expected} is not among {found:?}");
    }
    assert_eq!(code, Some(1));
    withdraw_devices(cluster).await;

    let mark = cluster.plane.audit().mark().expect("a mark");
    let said = uninstalled(cluster, &[]).await;
    said.assert_uninstalled();
    assert_eq!((&said.report["workloads"], &said.report["restored"]), (&4.into(), &4.into()), "{said:#?}");
    originals.assert_restored(cluster).await;
    assert_eq!(patched(cluster, OPERATOR, mark), ["cart", "mail", "till"].map(str::to_owned).into());
    assert_eq!(patched(cluster, PERSON, mark), BTreeSet::new());
    assert_eq!(audit(cluster, &[]), (Vec::new(), Some(0)));
    assert!(!is_marked(cluster).await);

    // The mark is gone, the label still says `true`, and the operator lives: it does nothing any more.
    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.apply(&labelled(idle(deployment("shop", "late")), "true")).await;
    assert!(operator.is_ready() && !operator.leads());
    originals.assert_restored(cluster).await;
    assert_eq!(cluster.operator_writes(mark).len(), 0);
    let late = cluster.workload(Deployment, "shop", "late").await;
    assert!(!is_injected(&late));
    cluster.kubectl(&["delete", "deployment", "-n", "shop", "late"]);
    operator
}

async fn a_second_time_there_is_nothing_to_do(cluster: &Cluster) {
    let said = uninstalled(cluster, &[]).await;
    said.assert_uninstalled();
    assert_eq!(said.report["workloads"], 0, "{said:#?}");
}

async fn with_an_operator_that_is_dead_from_the_start(cluster: &Cluster) {
    let operator = install(cluster).await;
    // It does not find itself switched off.
    let originals = furnish(cluster).await;
    operator.kill();
    withdraw_devices(cluster).await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    uninstalled(cluster, &[]).await.assert_uninstalled();
    originals.assert_restored(cluster).await;
    assert_eq!(patched(cluster, PERSON, mark), ["cart", "mail", "till"].map(str::to_owned).into());
}

async fn with_an_operator_that_dies_in_the_middle(cluster: &Cluster) {
    let operator = install(cluster).await;
    let originals = furnish(cluster).await;
    for number in 0..FLEET {
        cluster.apply(&idle(deployment("traced", &format!("ship-{number:02}")))).await;
    }
    withdraw_devices(cluster).await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    let uninstaller = uninstall(cluster, &[]);
    until("the operator begins", || async { !patched(cluster, OPERATOR, mark).is_empty() }).await;
    operator.kill();
    let before = patched(cluster, OPERATOR, mark).len();
    assert!(before < FLEET, "the operator was too fast for this drill");
    let said = uninstaller.ends().await;
    said.assert_uninstalled();
    originals.assert_restored(cluster).await;
    assert!(!patched(cluster, PERSON, mark).is_empty(), "{said:#?}");
    for number in 0..FLEET {
        let ship = cluster.workload(Deployment, "traced", &format!("ship-{number:02}")).await;
        assert!(!is_injected(&ship), "ship-{number:02}");
    }
}
