//! The proxy under measurement: the real program with its Collectors, and what the manager tells it.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use epiphyte_api::names::{NAMESPACES_FILE, TOKENS_FILE};
use epiphyte_telemetry_proxy::render::{self, Phase};
use epiphyte_testbed::programs;
use serde_json::json;

use super::manager::{Tenants, authorization};
use super::place::Place;
use crate::cluster::{Cluster, until};
use crate::connection::{Connection, is_ok, post};
use crate::deployable::Deployable;
use crate::load::connect;
use crate::process::Process;

/// The user that the Collectors are.
pub(super) const USER: &str = "system:serviceaccount:odigos-system:epiphyte-operator";

/// A running proxy; goes with its control plane.
pub(super) struct Supervised<'a> {
    deployable: Deployable<'a>,
    pub(super) place: Place,
    /// A token that is always admitted, whatever else is.
    token: String,
}

impl<'a> Supervised<'a> {
    /// Starts one that has no namespaces to monitor, and waits until it admits a token.
    pub(super) async fn start(cluster: &'a Cluster, upstream: &str, token: &str) -> Result<Self> {
        let place = Place::new(upstream)?;
        let namespaces = place.of_manager(name(NAMESPACES_FILE)?);
        fs::create_dir_all(namespaces.parent().unwrap_or(&namespaces))?;
        replace(&namespaces, b"[]")?;
        replace(&place.of_manager(TOKENS_FILE), json!([token]).to_string().as_bytes())?;
        let (collector, places) = (programs::collector()?, &place.ground.places);
        let deployable = Deployable::start(cluster, "telemetry-proxy", USER, |command| {
            command.arg("--config").arg(place.settings()).arg("--namespaces-file").arg(&namespaces);
            command.arg("--collector").arg(collector);
            command.arg("--run-dir").arg(&places.run).arg("--queue-dir").arg(&places.queue);
        });
        let proxy = Self { deployable: deployable.await?, token: token.to_owned(), place };
        until("the proxy is ready", async || {
            proxy.process()?;
            Ok(proxy.deployable.admin.is_ready().await && admits(proxy.place.otlp(), token).await)
        })
        .await?;
        let configuration = fs::read(proxy.place.ground.places.run.join("traffic.json"))?;
        let is_known = configuration == render::traffic(&proxy.place.ground, Phase::Serving);
        ensure!(is_known, "the proxy has another configuration than is rendered here");
        Ok(proxy)
    }

    /// Its own process.
    pub(super) fn process(&self) -> Result<Process> {
        self.deployable.process()
    }

    /// Tells of tenants, as the manager does.
    pub(super) fn list(&self, tenants: Tenants) -> Result<()> {
        let tokens: Vec<String> = tenants.tokens().chain([self.token.clone()]).collect();
        replace(&self.place.of_manager(TOKENS_FILE), json!(tokens).to_string().as_bytes())?;
        let namespaces = json!(tenants.namespaces()).to_string();
        replace(&self.place.of_manager(name(NAMESPACES_FILE)?), namespaces.as_bytes())
    }

    /// What it says from now on.
    pub(super) fn log(&self) -> Result<Log> {
        let mut log = Log { file: File::open(self.deployable.log())?, rest: Vec::new() };
        log.ups_of_events()?;
        Ok(log)
    }
}

/// Whether a Collector takes an empty request under a token.
pub(super) async fn admits(address: SocketAddr, token: &str) -> bool {
    let request = post("/v1/traces", &headers(&authorization(token)), b"");
    match connect(address).await {
        Ok(stream) => Connection::new(stream).ask(&request).await.is_ok_and(is_ok),
        Err(_) => false,
    }
}

/// The headers of spans that are sent.
pub(super) fn headers(authorization: &str) -> [(&str, &str); 2] {
    [("Content-Type", "application/x-protobuf"), ("Authorization", authorization)]
}

/// What the proxy says.
pub(super) struct Log {
    file: File,
    /// The line that is not yet whole.
    rest: Vec<u8>,
}

impl Log {
    /// How often *events* has said, since it was asked last, that its configuration is in force.
    pub(super) fn ups_of_events(&mut self) -> Result<usize> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.rest.split_off(whole);
        let said = std::mem::replace(&mut self.rest, rest);
        let said = String::from_utf8_lossy(&said);
        Ok(said.lines().filter(|line| line.contains(UP) && line.contains("collector=\"events\"")).count())
    }
}

/// What a Collector says once its configuration is in force.
const UP: &str = "Everything is ready.";

fn name(path: &str) -> Result<&str> {
    Path::new(path).file_name().and_then(|name| name.to_str()).context("a path without a name")
}

/// Puts a file in the place of another in one step.
fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, contents)?;
    Ok(fs::rename(next, path)?)
}
