//! The telemetry proxy: a supervisor of two real OpenTelemetry Collectors.
//!
//! *Traffic* takes what applications send and sends it on under the token that it came with; its configuration does not depend on
//! which namespaces there are. *Events* collects the Kubernetes Events of the monitored namespaces, and is told to read its
//! configuration again when those change. Both learn of namespaces by the files that the operator's manager writes.

mod admin;
mod admission;
mod cluster;
mod collector;
mod drain;
mod events;
mod exposition;
pub mod extra;
mod folder;
mod health;
mod http;
pub mod input;
pub mod memory;
mod metrics;
pub mod render;
pub mod settings;

mod watched;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use epiphyte_api::names::TOKENS_FILE;
use epiphyte_daemon::settings::SettingsError;
use epiphyte_daemon::{Ready, file};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use admission::Admission;
use cluster::Uid;
use collector::{Collector, Invalid, Wish};
use events::{Failure, Steward};
use extra::Addition;
use health::Health;
use memory::Share;
use metrics::Metrics;
pub use render::Access;
use render::{Ground, Phase, Places};
use settings::Settings;
use watched::Watched;

/// How the proxy is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings file; the defaults without one.
    pub config: Option<PathBuf>,
    /// The file in which the manager lists the namespaces; that with the tokens is beside it.
    pub namespaces_file: PathBuf,
    /// The Collector's program.
    pub collector: PathBuf,
    /// How the Collectors reach the API server.
    pub access: Access,
    /// The folder for configurations and tokens; best in memory.
    pub run_folder: PathBuf,
    /// The folder for what waits for being sent.
    pub queue_folder: PathBuf,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
}

/// Why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are not valid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A folder or file of its own cannot be written.
    #[error("cannot write {}", path.display())]
    NotWritten {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The port for health and metrics is not to be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The Collector does not take what was made of the settings.
    #[error("the settings give no configuration of {collector} that the Collector takes")]
    Refused {
        /// Whose configuration.
        collector: &'static str,
        /// What the Collector says.
        source: Refusal,
    },
}

/// What the Collector says against a configuration.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Refusal(#[from] Invalid);

/// Runs the proxy until it is told to stop, and lets it send what it has.
///
/// # Errors
/// When it cannot start. Once it runs, nothing ends it but being told to.
pub async fn run(options: Options, shutdown: CancellationToken) -> Result<(), Error> {
    let settings = options.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::from_file)?;
    let places = Places { run: options.run_folder, queue: options.queue_folder };
    let ground = Ground { settings, access: options.access, places, memory: memory::limit(), cluster_uid: None };
    let (places, listen) = (&ground.places, &ground.settings.listen);
    for folder in [&places.run, &places.tokens(), &places.queue_of("traffic"), &places.queue_of("events")] {
        folder::private(folder).map_err(|source| Error::NotWritten { path: folder.clone(), source })?;
    }
    let metrics = Metrics::new();
    let collector = |name, memory, port, extra: Option<&Addition>| {
        let configuration = places.run.join(name).with_extension("json");
        let file = configuration.with_extension("extra.json");
        if let Some(extra) = extra {
            write(&file, &extra.to_bytes())?;
        }
        Ok::<_, Error>(Collector {
            name,
            program: options.collector.clone(),
            configuration,
            extra: extra.map(|_| file),
            port,
            memory,
            metrics: metrics.clone(),
            ups: watch::Sender::new(0),
            misses: watch::Sender::new(false),
        })
    };
    let extra = &ground.settings.extra;
    let (of_traffic, of_events) = (Share::of_traffic(ground.memory), Share::of_events(ground.memory));
    let traffic = collector("traffic", of_traffic, listen.traffic_metrics, extra.traffic.as_ref())?;
    let events = collector("events", of_events, listen.events_metrics, extra.events.as_ref())?;

    let listener = TcpListener::bind(options.admin_listen)
        .await
        .map_err(|source| Error::Listen { address: options.admin_listen, source })?;
    write(&traffic.configuration, &render::traffic(&ground, Phase::Serving))?;
    traffic.check(&traffic.configuration).await.map_err(|invalid| refused(&traffic, invalid))?;
    info!(memory = ground.memory, upstream = %ground.settings.endpoint.otlp.url, "the proxy starts");

    let ready = Ready::default();
    let (canary, canaries) = watch::channel(None);
    let (told, cluster) = watch::channel(Uid::Awaited);
    let (traffic_wishes, events_wishes) = (watch::Sender::new(Wish::Run(0)), watch::Sender::new(Wish::Rest));
    let file = |path: PathBuf, name| Watched::new(path, name, metrics.clone());
    let admission = Admission {
        file: file(options.namespaces_file.with_file_name(TOKENS_FILE), "tokens"),
        admitted: places.admitted(),
        canary,
    };
    let steward = Steward {
        file: file(options.namespaces_file.clone(), "namespaces"),
        ground: ground.clone(),
        collector: events.clone(),
        wishes: events_wishes.clone(),
        cluster,
    };
    if extra.events.is_some() {
        steward.check().await.map_err(|failure| match failure {
            Failure::Invalid(invalid) => refused(&events, invalid),
            Failure::NotWritten(source) => Error::NotWritten { path: places.run.clone(), source },
        })?;
    }
    let health =
        Health { settings: ground.settings.clone(), canary: canaries, ready: ready.clone(), metrics: metrics.clone() };
    let served = CancellationToken::new();
    let admin =
        admin::serve(listener, metrics.registry.clone(), listen, ready.clone(), served.clone().cancelled_owned());
    let collectors =
        async { tokio::join!(traffic.clone().run(traffic_wishes.subscribe()), events.run(events_wishes.subscribe()),) };
    let until_told = async {
        tokio::select! {
            () = admission.run() => {}
            () = async { tokio::join!(cluster::ask(told), steward.run()); } => {}
            () = health.run() => {}
            () = shutdown.cancelled() => {}
        }
        info!("told to stop: sending what was accepted");
        let _never = ready.expect("nothing any more: the proxy stops");
        // What *events* has not sent is found again by its next start, or by another replica.
        events_wishes.send_replace(Wish::End);
        drain::drain(&ground, &traffic, &traffic_wishes).await;
        traffic_wishes.send_replace(Wish::End);
    };
    let work = async {
        tokio::join!(collectors, until_told);
        served.cancel();
    };
    tokio::join!(admin, work);
    Ok(())
}

fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    file::replace(path, contents).map_err(|source| Error::NotWritten { path: path.to_owned(), source })
}

fn refused(collector: &Collector, invalid: Invalid) -> Error {
    Error::Refused { collector: collector.name, source: invalid.into() }
}
