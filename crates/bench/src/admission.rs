//! The webhook over HTTPS: how fast it answers and what an answer costs.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_operator::admission::PATH;
use epiphyte_testbed::Entry;
use serde_json::Value;

use crate::cluster::{Cluster, path, until};
use crate::connection::post;
use crate::load::{Load, Run};
use crate::manifests::{Shape, deployment, review, stored};
use crate::operator::Operator;
use crate::report::{Figure, Row};

const PART: &str = "admission";

/// The namespace that a Lumigo turns on, and the one that nothing does.
const ON: &str = "shop";
const OFF: &str = "attic";

/// How long the server is warmed up, and how long each round of the measurement takes.
const WARM_UP: Duration = Duration::from_millis(500);
const ROUND: Duration = Duration::from_secs(1);

/// Rounds, of which the best counts: what else goes on on the machine only ever adds.
const ROUNDS: usize = 10;

/// One kind of request.
struct Case {
    name: &'static str,
    namespace: &'static str,
    shape: Shape,
    /// What stands in the answer.
    answer: &'static str,
    /// CPU time of a request, in seconds.
    budget: f64,
    peers: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        name: "1x5",
        namespace: ON,
        shape: Shape::new(1, 5),
        answer: "\"patchType\":\"JSONPatch\"",
        budget: 0.15e-3,
        peers: "1.4 to 1.8 ms",
    },
    Case {
        name: "10x40",
        namespace: ON,
        shape: Shape::new(10, 40),
        answer: "\"patchType\":\"JSONPatch\"",
        budget: 1e-3,
        peers: "12.8 to 17 ms",
    },
    Case {
        name: "1x5 to leave alone",
        namespace: OFF,
        shape: Shape::new(1, 5),
        answer: "\"allowed\":true}",
        budget: 0.1e-3,
        peers: "0.6 to 1.1 ms",
    },
];

/// Measures.
pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    for namespace in [ON, OFF] {
        cluster.namespace(namespace).await?;
    }
    cluster.token(ON).await?;
    cluster.lumigo(ON).await?;
    let (operator, authority) = Operator::start_and_wait(&cluster).await?;
    let lumigo = format!("/apis/operator.lumigo.io/v1/namespaces/{ON}/lumigoes/lumigo");
    until("the Lumigo is active", async || Ok(is_active(&cluster.get(&lumigo).await?))).await?;
    // The API server itself has the webhook called once: it is reached and knows the Lumigo.
    cluster.create(&path(Deployment, ON), &deployment(ON, "first", Shape::new(1, 5))).await?;
    operator.settled().await?;

    let process = operator.process()?;
    let mark = cluster.plane.audit().mark()?;
    let mut rows = Vec::new();
    for case in &CASES {
        let body = review(&stored(deployment(case.namespace, "cart", case.shape))).to_string();
        let request = post(PATH, &[("Content-Type", "application/json")], body.as_bytes());
        for in_flight in [1, 100] {
            crate::say(&format!("admission: {}, {in_flight} in flight", case.name));
            let mut load = Load::over_tls(operator.webhook, &authority, in_flight).await?;
            load.run(&request, case.answer, WARM_UP).await?;
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let before = process.cpu()?;
                let run = load.run(&request, case.answer, ROUND).await?;
                let cpu = (process.cpu()? - before).as_secs_f64() / run.requests() as f64;
                rounds.push(rows_of(case, in_flight, cpu, &run));
            }
            rows.extend(Row::of_rounds(rounds));
        }
    }
    // A watch that the API server ends is begun anew, and the certificate looked after, whether or not there is load.
    let upkeep = |entry: &Entry| entry.is_about("secrets") || entry.is_about("mutatingwebhookconfigurations");
    let is_read = |entry: &Entry| ["get", "list"].contains(&entry.verb.as_str()) && !upkeep(entry);
    let reads = operator.requests_since(mark)?.iter().filter(|entry| is_read(entry)).count();
    let reads = Row::new(PART, "reads of the API meanwhile", Figure::Count(reads as f64));
    rows.push(reads.at_most(Figure::Count(0.0)).peers("up to seconds of retries"));
    let memory = Figure::Bytes(process.memory()?.peak);
    rows.push(Row::new(PART, "resident memory, peak", memory));
    Ok(rows)
}

fn is_active(lumigo: &Value) -> bool {
    let conditions = lumigo.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|it| {
        let says = |key: &str, text: &str| it.get(key).and_then(Value::as_str) == Some(text);
        says("type", "Active") && says("status", "True")
    })
}

/// What a round has shown; `cpu` is the time of a request in seconds. The budgets are about load: with one request at a
/// time, going to sleep and waking up again cost as much as the answer.
fn rows_of(case: &Case, in_flight: usize, cpu: f64, run: &Run) -> Vec<Row> {
    let seconds = |share: f64| Figure::Seconds(run.percentile(share).as_secs_f64());
    let rate = run.requests() as f64 / run.elapsed.as_secs_f64();
    let row = |what: &str, figure| Row::new(PART, format!("{}, {in_flight} in flight: {what}", case.name), figure);
    let cpu = row("CPU per request", Figure::Seconds(cpu));
    let rate = row("requests", Figure::PerSecond(rate));
    let (middle, tail) = (row("p50", seconds(0.5)), row("p99", seconds(0.99)));
    let is_load = in_flight > 1;
    let is_burst = is_load && case.name == "1x5";
    vec![
        if is_load { cpu.at_most(Figure::Seconds(case.budget)).peers(case.peers) } else { cpu },
        if is_burst { rate.at_least(Figure::PerSecond(10_000.0)).peers("980 to 1,380/s") } else { rate },
        middle,
        if is_burst { tail.at_most(Figure::Seconds(0.02)).peers("370 to 450 ms") } else { tail },
    ]
}
