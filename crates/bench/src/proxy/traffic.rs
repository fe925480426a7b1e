//! Numbered spans, sent at a steady pace, each again until it is taken: what becomes of every one of them can be told.

use std::cell::Cell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use epiphyte_testbed::otlp::{Receiver, Span};
use futures::future::try_join_all;
use tokio::net::TcpStream;

use super::spans::named;
use super::supervised::headers;
use crate::connection::{Connection, is_ok, post};
use crate::load::connect;

/// Connections.
const CONNECTIONS: usize = 4;

/// How long each waits between two spans.
const PACE: Duration = Duration::from_millis(20);

/// How long the last spans may take to be upstream.
const ARRIVAL: Duration = Duration::from_secs(60);

/// What was sent.
#[derive(Default)]
pub(super) struct Sent {
    /// The numbers of the spans that were taken.
    pub(super) taken: Vec<String>,
    /// How often one was not taken at once.
    pub(super) refused: usize,
}

/// Sends spans for as long as `goes_on`.
pub(super) async fn send(address: SocketAddr, authorization: &str, goes_on: &Cell<bool>) -> Result<Sent> {
    let senders = (0..CONNECTIONS).map(|sender| send_as(sender, address, authorization, goes_on));
    Ok(try_join_all(senders).await?.into_iter().fold(Sent::default(), |mut all, mut one| {
        all.taken.append(&mut one.taken);
        all.refused += one.refused;
        all
    }))
}

async fn send_as(sender: usize, address: SocketAddr, authorization: &str, goes_on: &Cell<bool>) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut connection: Option<Connection<TcpStream>> = None;
    while goes_on.get() {
        let number = format!("{sender}-{}", sent.taken.len());
        let request = post("/v1/traces", &headers(authorization), &named(&number));
        let mut held = match connection.take() {
            Some(held) => held,
            None => Connection::new(connect(address).await?),
        };
        match held.ask(&request).await {
            Ok(answer) if is_ok(answer) => sent.taken.push(number),
            Ok(_) | Err(_) => sent.refused += 1,
        }
        connection = Some(held);
        tokio::time::sleep(PACE).await;
    }
    Ok(sent)
}

impl Sent {
    /// How many of the spans that were taken did not come upstream.
    pub(super) fn lost(&self, upstream: &Receiver) -> usize {
        let all_came = |spans: &[Span]| (self.missing(spans) == 0).then_some(());
        match upstream.wait("every span", ARRIVAL, all_came) {
            Ok(()) => 0,
            Err(_) => self.missing(&upstream.spans()),
        }
    }

    fn missing(&self, spans: &[Span]) -> usize {
        let came: HashSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        self.taken.iter().filter(|number| !came.contains(number.as_str())).count()
    }
}
