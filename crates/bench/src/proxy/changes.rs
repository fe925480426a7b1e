//! What a change of namespaces takes: until the new configuration is in force, and until a new token is admitted, while numbered
//! spans go through.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use epiphyte_telemetry_proxy::render::MAX_TOKENS;
use epiphyte_testbed::otlp::Receiver;
use futures::future::try_join;

use super::manager::{Tenants, authorization, token};
use super::supervised::{Log, Supervised, admits};
use super::{PART, at_rest, traffic};
use crate::cluster::{Cluster, PATIENCE};
use crate::report::{Figure, Row};
use crate::samples::middle;

/// Changes under traffic, each of one namespace and one token.
const CHANGES: usize = 100;
const FEW: Tenants = Tenants { namespaces: 10, tokens: 10, change: 0 };

/// Changes of a list that is as long as is served.
const LONG_CHANGES: usize = 5;
const MANY: Tenants = Tenants { namespaces: 10_000, tokens: MAX_TOKENS, change: 0 };

/// How often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(10);

/// What changes took, each in seconds.
#[derive(Default)]
struct Took {
    /// CPU time of the proxy with its Collectors, other work included that it did meanwhile.
    cpu: Vec<f64>,
    in_force: Vec<f64>,
    admitted: Vec<f64>,
}

/// Measures.
pub(super) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let cluster = Cluster::start(program).await?;
    let upstream = Receiver::on_loopback()?;
    let token = token(usize::MAX);
    let proxy = Supervised::start(&cluster, upstream.url(), &token).await?;
    crate::say(&format!("proxy: {CHANGES} changes of namespaces under traffic"));
    let goes_on = Cell::new(true);
    let changes = async {
        let took = changes(&proxy, FEW, CHANGES).await;
        goes_on.set(false);
        took
    };
    let authorization = authorization(&token);
    let sending = traffic::send(proxy.place.otlp(), &authorization, &goes_on);
    let (took, sent) = try_join(changes, sending).await?;
    let mut rows = took.rows(&format!("{CHANGES} changes of 10 namespaces"))?;
    let row = |what: &str, count: usize| {
        Row::new(PART, format!("{CHANGES} changes of 10 namespaces: {what}"), Figure::Count(count as f64))
    };
    rows.push(row("numbered spans taken meanwhile", sent.taken.len()));
    rows.push(row("of them lost", sent.lost(&upstream)).at_most(Figure::Count(0.0)));
    rows.push(row("not taken at once", sent.refused).at_most(Figure::Count(0.0)));
    rows.extend(supervisor("10 namespaces", &proxy).await?);

    crate::say(&format!("proxy: {LONG_CHANGES} changes of {} namespaces with {MAX_TOKENS} tokens", MANY.namespaces));
    let took = self::changes(&proxy, MANY, LONG_CHANGES).await?;
    let of = format!("{LONG_CHANGES} changes of 10,000 namespaces, {MAX_TOKENS} tokens");
    let cpu = middle(took.cpu.clone()).context("nothing was measured")?;
    rows.extend(took.rows(&of)?);
    rows.push(Row::new(PART, format!("{of}: CPU until in force, median"), Figure::Seconds(cpu)));
    rows.extend(supervisor("10,000 namespaces", &proxy).await?);
    Ok(rows)
}

/// Lists tenants, and changes them so many times.
async fn changes(proxy: &Supervised<'_>, tenants: Tenants, count: usize) -> Result<Took> {
    let mut log = proxy.log()?;
    proxy.list(tenants)?;
    in_force(&mut log).await?;
    let mut took = Took::default();
    for change in 1..=count {
        // The proxy looks every second: the changes fall evenly into all parts of one.
        tokio::time::sleep(Duration::from_millis(change as u64 * 618 % 1000)).await;
        let tenants = Tenants { change, ..tenants };
        let (start, cpu) = (Instant::now(), proxy.process()?.cpu_of_all()?);
        proxy.list(tenants)?;
        let since = async |done: Result<()>| done.map(|()| start.elapsed().as_secs_f64());
        let (in_force, admitted) = try_join(async { since(in_force(&mut log).await).await }, async {
            since(admitted(proxy, &tenants.newest()).await).await
        })
        .await?;
        took.cpu.push((proxy.process()?.cpu_of_all()? - cpu).as_secs_f64());
        took.in_force.push(in_force);
        took.admitted.push(admitted);
    }
    Ok(took)
}

async fn in_force(log: &mut Log) -> Result<()> {
    let start = Instant::now();
    while log.ups_of_events()? == 0 {
        ensure!(start.elapsed() < PATIENCE, "a list of namespaces does not come into force");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn admitted(proxy: &Supervised<'_>, token: &str) -> Result<()> {
    let start = Instant::now();
    while !admits(proxy.place.otlp(), token).await {
        ensure!(start.elapsed() < PATIENCE, "a token that is listed is not admitted");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl Took {
    fn rows(self, of: &str) -> Result<Vec<Row>> {
        let row = |what: &str, seconds| Row::new(PART, format!("{of}: {what}"), Figure::Seconds(seconds));
        let worst = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
        let (in_force, admitted) = (worst(&self.in_force), worst(&self.admitted));
        let median = |times| middle(times).context("nothing was measured");
        Ok(vec![
            row("until in force, median", median(self.in_force)?),
            row("until in force, longest", in_force),
            row("until the new token is admitted, median", median(self.admitted)?),
            row("until the new token is admitted, longest", admitted).at_most(Figure::Seconds(5.0)),
        ])
    }
}

/// What the supervisor itself takes once all is as it is to be.
async fn supervisor(with: &str, proxy: &Supervised<'_>) -> Result<Vec<Row>> {
    // Files that are used no more are removed a few seconds after a change.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let process = proxy.process()?;
    let cpu = at_rest(process).await?;
    let memory = process.memory()?;
    let row = |what: &str, figure| Row::new(PART, format!("supervisor alone, {with}, at rest: {what}"), figure);
    Ok(vec![
        row("CPU in a second", Figure::Seconds(cpu)),
        row("resident memory", Figure::Bytes(memory.resident)),
        row("resident memory, peak", Figure::Bytes(memory.peak)),
    ])
}
