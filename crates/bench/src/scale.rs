//! A cluster with many workloads: what the first list costs.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use epiphyte_api::WorkloadKind::Deployment;
use serde_json::Value;

use crate::cluster::{Cluster, path};
use crate::manifests::{Shape, deployment, stored};
use crate::operator::Operator;
use crate::report::{Figure, MIB, Row};

const PART: &str = "scale";

const NAMESPACES: usize = 50;
const DEPLOYMENTS: usize = 5_000;

/// Measures.
pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    for number in 0..NAMESPACES {
        cluster.namespace(&namespace(number)).await?;
    }
    crate::say(&format!("scale: creating {DEPLOYMENTS} Deployments"));
    let start = Instant::now();
    let deployments = (0..DEPLOYMENTS).map(|number| {
        let shape = Shape::new(1, 12 + number * 7 % 29);
        stored(deployment(&namespace(number % NAMESPACES), &format!("service-{number:04}"), shape))
    });
    cluster.create_deployments(deployments).await?;
    crate::say(&format!("scale: created in {:.0} s", start.elapsed().as_secs_f64()));
    let size = mean_size(&cluster.get(&path(Deployment, &namespace(0))).await?)?;

    let start = Instant::now();
    let operator = Operator::start(&cluster).await?;
    operator.leads().await?;
    let ready = start.elapsed();
    let settled = operator.settled().await?;
    let row = |what: &str, figure| Row::new(PART, format!("5,000 Deployments: {what}"), figure);
    Ok(vec![
        row("JSON of each, mean", Figure::Bytes(size)),
        row("time to ready", Figure::Seconds(ready.as_secs_f64())),
        row("time to settled", Figure::Seconds(settled.after.as_secs_f64())),
        row("CPU until settled", Figure::Seconds(settled.cpu.as_secs_f64()))
            .at_most(Figure::Seconds(0.5))
            .peers("2.1 to 9.5 s"),
        row("resident memory, peak", Figure::Bytes(settled.memory.peak))
            .at_most(Figure::Bytes(32.0 * MIB))
            .peers("103 to 356 MiB"),
        row("resident memory, settled", Figure::Bytes(settled.memory.resident)),
    ])
}

fn namespace(number: usize) -> String {
    format!("team-{number:02}")
}

fn mean_size(list: &Value) -> Result<f64> {
    let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let sizes = items.iter().map(|item| item.to_string().len());
    Ok(sizes.sum::<usize>() as f64 / items.len() as f64)
}
