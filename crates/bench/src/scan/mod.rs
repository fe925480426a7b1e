//! A node with 110 pods: what a look into all of them costs, and what the node agent takes that answers for them.

mod agent;
mod crowd;
mod kubelet;
mod pods;
mod proc;

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use epiphyte_detect::{Scanner, Sighting, Wanted};

use crate::cluster::Cluster;
use crate::report::{Figure, MIB, Row};
use crate::samples::{cpu, middle};
use crowd::{Container, Crowd};
use proc::Proc;

const PART: &str = "scan";

/// Pods of a node, each with a container beside the one that holds its namespaces.
const PODS: usize = 110;

/// Scans of each sort that the median is taken of.
const SCANS: usize = 21;

/// What a scan may take, in seconds of CPU time.
const BUDGET: Figure = Figure::Seconds(0.05);

/// Measures.
pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    crate::say(&format!("scan: starting {PODS} containers"));
    let crowd = Crowd::start(&cluster, PODS)?;
    crowd.settle().await?;
    let proc = Proc::new()?;
    for container in &crowd.containers {
        container.show(&proc)?;
    }
    let mut rows = scans(&proc, &crowd.containers)?;
    rows.extend(agent::measure(&cluster, &proc, &crowd.containers).await?);
    Ok(rows)
}

/// The scanner alone, as the node agent has it.
fn scans(proc: &Proc, containers: &[Container]) -> Result<Vec<Row>> {
    let all = containers.iter().fold(Wanted::default(), |wanted, container| wanted.container(&container.id));
    let one = containers.iter().take(1).fold(Wanted::default(), |wanted, container| wanted.container(&container.id));
    let mut scanner = Scanner::new(proc.path());
    check(&scanner.scan(&all)?, containers)?;
    let processes: usize = containers.iter().map(Container::processes).sum();

    let row = |what: &str, seconds: Option<f64>| -> Result<Row> {
        Ok(Row::new(PART, what, Figure::Seconds(seconds.context("nothing was measured")?)))
    };
    let scan = |scanner: &mut Scanner, wanted: &Wanted| cpu(|| drop(black_box(scanner.scan(wanted))));
    let first = (0..SCANS).map(|_| scan(&mut Scanner::new(proc.path()), &all)).collect();
    let again = (0..SCANS).map(|_| scan(&mut scanner, &all)).collect();
    let of_one = (0..SCANS).map(|_| scan(&mut scanner, &one)).collect();
    Ok(vec![
        Row::new(PART, "processes of 110 pods", Figure::Count(processes as f64)),
        row("110 containers, of none of which anything is known: CPU of a scan", middle(first))?.at_most(BUDGET),
        row("110 containers, whose programs are known: CPU of a scan", middle(again))?.at_most(BUDGET),
        row("1 container among them: CPU of a scan", middle(of_one))?,
    ])
}

/// Fails unless every container was seen for what it is: else it is not a look into all of them that is measured.
fn check(sightings: &[Sighting], containers: &[Container]) -> Result<()> {
    for container in containers {
        let sighting = sightings.iter().find(|sighting| sighting.container_id == container.id);
        let found = &sighting.with_context(|| format!("{} is not seen", container.title))?.runtime;
        let process = found.process.as_ref().with_context(|| format!("of {} no process is seen", container.title))?;
        let is_known = container.language.as_ref().is_none_or(|language| found.language.as_ref() == Ok(language));
        ensure!(is_known, "{} ({}) is taken for {:?}", container.title, process.program, found.language);
    }
    Ok(())
}
