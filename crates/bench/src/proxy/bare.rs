//! A Collector that nobody supervises, with the configuration that the proxy gives its own.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use epiphyte_telemetry_proxy::memory::Share;
use epiphyte_telemetry_proxy::render::{self, Phase};
use epiphyte_testbed::{Guest, programs};

use super::place::Place;
use super::supervised::{USER, admits};
use crate::cluster::{Cluster, until};
use crate::process::Process;

/// A running Collector; goes with its control plane.
pub(super) struct Bare<'a> {
    guest: Guest<'a>,
    pub(super) place: Place,
}

impl<'a> Bare<'a> {
    /// Starts one, and waits until it admits a token.
    pub(super) async fn start(cluster: &'a Cluster, upstream: &str, token: &str) -> Result<Self> {
        let place = Place::new(upstream)?;
        let places = &place.ground.places;
        fs::create_dir_all(places.queue_of("traffic"))?;
        fs::create_dir_all(&places.run)?;
        fs::write(places.admitted(), token)?;
        let configuration = places.run.join("traffic.json");
        fs::write(&configuration, render::traffic(&place.ground, Phase::Serving))?;
        let mut command = Command::new(programs::collector()?);
        command.arg(format!("--config=file:{}", configuration.display()));
        command.env("GOMEMLIMIT", Share::of_traffic(place.ground.memory).for_go());
        command.env("KUBECONFIG", cluster.plane.user(USER, &["system:masters"])?);
        let bare = Self { guest: cluster.plane.run("otelcol", &command).await?, place };
        until("the Collector admits a token", async || {
            bare.process()?;
            Ok(admits(bare.place.otlp(), token).await)
        })
        .await?;
        Ok(bare)
    }

    /// Its process.
    pub(super) fn process(&self) -> Result<Process> {
        let log = || {
            let log = fs::read_to_string(self.guest.log()).unwrap_or_default();
            format!("the Collector has ended:\n{log}")
        };
        self.guest.pid().map(Process).with_context(log)
    }
}
