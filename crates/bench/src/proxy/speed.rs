//! What supervision costs: the proxy's Collector and a bare one with the same configuration, in turns.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::net::TcpStream;

use super::PART;
use super::bare::Bare;
use super::manager::{authorization, token};
use super::spans::batch;
use super::supervised::{Supervised, headers};
use super::upstream::Upstream;
use crate::cluster::{Cluster, PATIENCE};
use crate::connection::post;
use crate::load::Load;
use crate::process::Process;
use crate::report::{Figure, Row};
use crate::samples::middle;

/// Spans of a request, about as many as agents send at once.
const SPANS: usize = 100;

/// Connections, each with a request in flight.
const IN_FLIGHT: usize = 16;

/// How long spans are sent in a round.
const ROUND: Duration = Duration::from_secs(1);

/// How long after the last span its Collector is given to do what is left.
const REST: Duration = Duration::from_millis(300);

/// Rounds of each; there is one before, to warm up. Many and short, so that what else goes on on the machine meets both alike.
const ROUNDS: usize = 24;

/// A Collector under load.
struct Side {
    /// The process, with all those below it.
    process: Process,
    load: Load<TcpStream>,
    /// What was measured in each round.
    rounds: Vec<Round>,
}

/// What a round has shown.
#[derive(Clone, Copy)]
struct Round {
    /// Spans in a second, until the last one was upstream.
    rate: f64,
    /// CPU time of a span, in seconds.
    cpu: f64,
}

/// Measures.
pub(super) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    let upstream = Upstream::start()?;
    let token = token(0);
    let supervised = Supervised::start(&cluster, &upstream.url(), &token).await?;
    let bare = Bare::start(&cluster, &upstream.url(), &token).await?;
    let request = post("/v1/traces", &headers(&authorization(&token)), &batch(SPANS));
    let side = async |process: Process, address| -> Result<Side> {
        Ok(Side { process, load: Load::plain(address, IN_FLIGHT).await?, rounds: Vec::new() })
    };
    let mut sides =
        [side(supervised.process()?, supervised.place.otlp()).await?, side(bare.process()?, bare.place.otlp()).await?];
    crate::say(&format!("proxy: spans through a supervised Collector and a bare one, {ROUNDS} rounds"));
    for round in 0..=ROUNDS {
        for side in &mut sides {
            let measured = side.round(&upstream, &request).await?;
            if round > 0 {
                side.rounds.push(measured);
            }
        }
        // Neither is always the first.
        sides.reverse();
    }
    // One more turn than there were rounds; back as they were.
    if (ROUNDS + 1) % 2 == 1 {
        sides.reverse();
    }
    let mut rows = rows(&sides)?;
    let memory = Figure::Bytes(supervised.process()?.memory()?.peak);
    rows.push(Row::new(PART, "supervisor alone, meanwhile: resident memory, peak", memory));
    Ok(rows)
}

impl Side {
    async fn round(&mut self, upstream: &Upstream, request: &[u8]) -> Result<Round> {
        let (cpu, came, start) = (self.process.cpu_of_all()?, upstream.requests(), Instant::now());
        let sent = self.load.run(request, "", ROUND).await?.requests();
        while upstream.requests() - came < sent {
            ensure!(start.elapsed() < PATIENCE, "of {sent} requests {} came", upstream.requests() - came);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let elapsed = start.elapsed();
        tokio::time::sleep(REST).await;
        let spans = (sent * SPANS) as f64;
        let cpu = self.process.cpu_of_all()? - cpu;
        Ok(Round { rate: spans / elapsed.as_secs_f64(), cpu: cpu.as_secs_f64() / spans })
    }

    fn all(&self, what: fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(what).collect()
    }
}

fn rows([supervised, bare]: &[Side; 2]) -> Result<Vec<Row>> {
    let rate = |round: &Round| round.rate;
    let cpu = |round: &Round| round.cpu;
    let median = |values: Vec<f64>| middle(values).context("nothing was measured");
    let row = |what: &str, figure| Row::new(PART, format!("under load: {what}"), figure);
    let mut rows = Vec::new();
    for (name, side) in [("supervised", supervised), ("bare Collector", bare)] {
        rows.push(row(&format!("spans, {name}"), Figure::PerSecond(median(side.all(rate))?)));
        rows.push(row(&format!("CPU per span, {name}"), Figure::Seconds(median(side.all(cpu))?)));
    }
    for (what, of) in [("spans", rate as fn(&Round) -> f64), ("CPU per span", cpu)] {
        let pairs =
            supervised.rounds.iter().zip(&bare.rounds).map(|(supervised, bare)| of(supervised) / of(bare) - 1.0);
        // What cannot be told from the noise is nothing: half of the rounds of the bare one differ by that much.
        let noise = Figure::Share(spread(bare.all(of)).context("nothing was measured")?);
        let change = median(pairs.collect())?;
        rows.push(match what {
            "spans" => row("fewer spans for being supervised", Figure::Share(-change)).at_most(noise),
            _ => row("more CPU per span for being supervised", Figure::Share(change)).at_most(noise),
        });
    }
    Ok(rows)
}

/// How far the middle half of some values reaches, as a share of their median.
fn spread(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = |quarters: usize| values.get(values.len() * quarters / 4).copied();
    Some((at(3)? - at(1)?) / at(2)?)
}
