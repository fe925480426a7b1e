//! Two operators: one leads and writes, either can take over.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::{Value, json};

use crate::scene::*;
use crate::support::*;

/// The user that the second operator is.
const OTHER: &str = "epiphyte-operator-2";

/// How many workloads are to be patched when the leader dies.
const FLEET: usize = 100;

/// How many workloads an operator patches at the same time.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_one_writes_and_the_other_takes_over() {
    let cluster = Cluster::ready().await;
    let first = cluster.operator(&as_user(OPERATOR)).await;
    let second = Operator::start(&cluster.plane, &as_user(OTHER));
    until("the second operator is ready", || async { second.is_ready() }).await;

    only_the_leader_writes(&cluster, &first, &second).await;
    second_goes_on_in_the_middle_of_the_work(&cluster, first, &second).await;

    let first = Operator::start(&cluster.plane, &as_user(OPERATOR));
    until("the first operator is back", || async { first.is_ready() }).await;
    a_leader_that_stops_hands_over(&cluster, second, &first).await;

    let second = Operator::start(&cluster.plane, &as_user(OTHER));
    until("the second operator is back", || async { second.is_ready() }).await;
    a_leader_that_was_away_finds_itself_replaced(&cluster, first, &second).await;
}

fn as_user(user: &str) -> OperatorOptions {
    OperatorOptions { settings: SHORT_LEASE.to_owned(), user: user.to_owned(), ..OperatorOptions::default() }
}

async fn only_the_leader_writes(cluster: &Cluster, first: &Operator, second: &Operator) {
    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.namespace("shop", None).await;
    see_handled(cluster, "shop", "cart").await;
    cluster.apply(&labelled(idle(deployment("shop", "mail")), "true")).await;
    assert!(agents_image(&cluster.workload(Deployment, "shop", "mail").await).is_some(), "injected when created");
    assert!(first.leads() && !second.leads());
    assert_eq!(patched(cluster, OPERATOR, mark, Deployment), ["cart"]);
    let writes: Vec<String> = cluster.writes_of(OTHER, mark).iter().map(line).collect();
    assert_eq!(writes, Vec::<String>::new());

    // Either serves, with the certificate that the API server trusts.
    assert_eq!(webhook(cluster).await.0, first.webhook);
    for operator in [first, second] {
        assert!(review(operator).await.pointer("/response/patch").is_some(), "{} answers", operator.webhook);
    }
}

async fn second_goes_on_in_the_middle_of_the_work(cluster: &Cluster, first: Operator, second: &Operator) {
    let names: Vec<String> = (0..FLEET).map(|number| format!("ship-{number:03}")).collect();
    cluster.collectors("gateway", Ready::No).await;
    cluster.namespace("fleet", Some("true")).await;
    for name in &names {
        cluster.create(&idle(deployment("fleet", name))).await;
    }
    for name in &names {
        cluster.answer(Deployment, "fleet", name, &[("app", "java")]).await;
    }
    for name in &names {
        cluster.until_reason(Deployment, "fleet", name, "RuntimeDetected", "RuntimeDetected").await;
    }

    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.collectors("gateway", Ready::Yes).await;
    let start = Instant::now();
    while patched(cluster, OPERATOR, mark, Deployment).is_empty() {
        assert!(start.elapsed() < DEADLINE, "the leader does not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    first.kill();
    let done = patched(cluster, OPERATOR, mark, Deployment).len();
    assert!(done < FLEET, "the leader was too fast for this drill");

    until("the second operator leads", || async { second.leads() }).await;
    for name in &names {
        cluster.until_devices(Deployment, "fleet", name, &[("app", JAVA)]).await;
        assert_eq!(cluster.generation(Deployment, "fleet", name).await, 2, "generation of {name}");
    }
    see_handled(cluster, "fleet", "straggler").await;
    let mut patched_by_either = patched(cluster, OPERATOR, mark, Deployment);
    patched_by_either.extend(patched(cluster, OTHER, mark, Deployment));
    patched_by_either.retain(|name| name != "straggler");
    let distinct: HashSet<&String> = patched_by_either.iter().collect();
    assert_eq!(distinct.len(), patched_by_either.len(), "one was patched twice: {patched_by_either:?}");
    // Nobody waited any more for what was under way when the leader died, and the audit log calls that a failure.
    assert!(distinct.len() + AT_ONCE >= FLEET, "only {} were patched", distinct.len());
    until("the webhook is the second's", || async { webhook(cluster).await.0 == second.webhook }).await;
}

async fn a_leader_that_stops_hands_over(cluster: &Cluster, leader: Operator, other: &Operator) {
    assert!(leader.leads() && !other.leads());
    let start = Instant::now();
    assert!(leader.stop(), "a stop on request is no failure");
    until("the other leads", || async { other.leads() }).await;
    assert!(start.elapsed() < Duration::from_secs(5), "handed over after {:?}", start.elapsed());
    until("the webhook is registered", || async { registered(cluster).await.is_some() }).await;
    assert_eq!(webhook(cluster).await.0, other.webhook);
    see_handled(cluster, "shop", "handed-over").await;
}

/// A machine that was suspended wakes up and believes that it leads.
async fn a_leader_that_was_away_finds_itself_replaced(cluster: &Cluster, leader: Operator, other: &Operator) {
    leader.signal("STOP");
    until("the other leads", || async { other.leads() }).await;
    until("the webhook is the other's", || async { webhook(cluster).await.0 == other.webhook }).await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    see_handled(cluster, "shop", "while-away").await;
    leader.signal("CONT");
    until("it knows that it is replaced", || async { !leader.leads() }).await;
    see_handled(cluster, "shop", "back-again").await;
    assert_eq!(patched(cluster, OPERATOR, mark, Deployment), Vec::<String>::new());

    // What it registered has become the other's, and stays when it goes.
    let before = webhook(cluster).await;
    assert!(leader.stop());
    assert_eq!(webhook(cluster).await, before);
}

/// Where the API server finds the webhook, and the version of the object that says so.
async fn webhook(cluster: &Cluster) -> (String, String) {
    let configuration = registered(cluster).await.expect("the webhook is registered");
    let text = |pointer: &str| configuration.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let url = text("/webhooks/0/clientConfig/url");
    let address = url.trim_start_matches("https://").trim_end_matches("/mutate").to_owned();
    (address, text("/metadata/resourceVersion"))
}

async fn registered(cluster: &Cluster) -> Option<Value> {
    cluster.get("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", "", "epiphyte-outside").await
}

/// Asks a webhook directly about a Deployment that is to be injected.
async fn review(operator: &Operator) -> Value {
    let mut config = kube::Config::new(format!("https://{}", operator.webhook).parse().expect("a URL"));
    config.accept_invalid_certs = true;
    config.proxy_url = None;
    let client = kube::Client::try_from(config).expect("a client of the webhook");
    let body = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "kind": { "group": "apps", "version": "v1", "kind": "Deployment" }, "operation": "CREATE",
            "namespace": "shop", "name": "asked", "object": labelled(deployment("shop", "asked"), "true"),
        },
    });
    let request = http::Request::post("/mutate").header("Content-Type", "application/json");
    client.request(request.body(body.to_string().into_bytes()).expect("a request")).await.expect("an answer")
}
