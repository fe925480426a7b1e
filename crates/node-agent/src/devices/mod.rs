//! Serves devices to the kubelet: one plugin for each, registered anew whenever the kubelet listens no more.

mod plugin;
mod sockets;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use epiphyte_api::Device;
use epiphyte_daemon::{Awaited, Backoff, chain};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::{debug, info, warn};

pub(crate) use plugin::Shared;

use plugin::{Listening, Plugin};
use sockets::Socket;

use crate::kubelet::device_plugin::device_plugin_server::DevicePluginServer;
use crate::kubelet::device_plugin::registration_client::RegistrationClient;
use crate::kubelet::device_plugin::{DevicePluginOptions, RegisterRequest, VERSION};
use crate::kubelet::{KubeletError, connect};

/// How long after a registration the kubelet may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);

/// A kubelet that listened this long is well: after that, registering again need not wait.
const WELL_AFTER: Duration = Duration::from_secs(2);

/// Serves devices.
pub(crate) struct Devices {
    /// The kubelet's folder of device plugins.
    pub(crate) folder: PathBuf,
    /// A name for this start of the agent that no other start has.
    pub(crate) start: String,
    pub(crate) shared: Shared,
}

/// Why a plugin is not served.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot listen in {}: {source}", folder.display())]
    Listen { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Kubelet(#[from] KubeletError),
    #[error("the kubelet took the registration and does not listen")]
    Deaf,
}

impl Trouble {
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "no_socket",
            Self::Kubelet(KubeletError::Away { .. }) => "kubelet_away",
            Self::Kubelet(KubeletError::Refused(_)) => "refused",
            Self::Deaf => "not_listened_to",
        }
    }
}

impl Devices {
    /// Serves all devices for as long as the set is kept. `awaited` names what each is to the agent's readiness.
    pub(crate) fn start(self, mut awaited: impl FnMut(Device) -> Awaited) -> JoinSet<()> {
        sockets::sweep(&self.folder);
        let mut plugins = JoinSet::new();
        for device in Device::ALL {
            let (streams, listening) = mpsc::unbounded_channel();
            let served = Served {
                device,
                folder: self.folder.clone(),
                start: self.start.clone(),
                shared: self.shared.clone(),
                streams,
                listening,
                socket: None,
            };
            plugins.spawn(served.run(awaited(device)));
        }
        plugins
    }
}

/// One device that is served.
struct Served {
    device: Device,
    folder: PathBuf,
    start: String,
    shared: Shared,
    streams: mpsc::UnboundedSender<Listening>,
    listening: mpsc::UnboundedReceiver<Listening>,
    /// What is listened on, and what ends the server behind it.
    socket: Option<(Socket, tokio_util::sync::DropGuard)>,
}

impl Served {
    async fn run(mut self, awaited: Awaited) {
        let (mut awaited, mut backoff, mut told) = (Some(awaited), Backoff::new(20, 1_000), None);
        loop {
            let started = Instant::now();
            let ended = self.serve(&mut awaited).await;
            let outcome = ended.as_ref().map_or_else(Trouble::outcome, |()| "ended");
            self.shared.metrics.registered(self.device, outcome);
            let device = self.device.resource();
            match ended {
                Ok(()) => {
                    info!(device, "the kubelet listens no more; registering again");
                    told = None;
                    if started.elapsed() > WELL_AFTER {
                        backoff.reset();
                        continue;
                    }
                }
                Err(trouble) => {
                    let text = chain(&trouble);
                    if told.as_ref() == Some(&text) {
                        debug!(device, error = text, "cannot serve the device; trying again");
                    } else {
                        warn!(device, error = text, "cannot serve the device; trying again");
                        told = Some(text);
                    }
                }
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Serves until the kubelet listens no more.
    async fn serve(&mut self, awaited: &mut Option<Awaited>) -> Result<(), Trouble> {
        let endpoint = self.listen()?;
        // Word of earlier streams is of no interest now.
        while self.listening.try_recv().is_ok() {}
        self.register(endpoint).await?;
        let opened = async { while self.listening.recv().await == Some(Listening::Ended) {} };
        timeout(LISTENS_WITHIN, opened).await.map_err(|_| Trouble::Deaf)?;
        self.shared.metrics.registered(self.device, "registered");
        info!(device = self.device.resource(), "registered");
        *awaited = None;
        let mut open = 1_usize;
        while open > 0 {
            match self.listening.recv().await {
                Some(Listening::Opened) => open += 1,
                Some(Listening::Ended) => open -= 1,
                // Cannot be: the sender lives in `self`.
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sees to it that the kubelet can reach us, and tells by which socket.
    fn listen(&mut self) -> Result<String, Trouble> {
        if let Some((socket, _)) = self.socket.as_ref().filter(|(socket, _)| socket.is_there()) {
            return Ok(socket.name());
        }
        let (socket, listener) = Socket::listen(&self.folder, &self.start, self.device)
            .map_err(|source| Trouble::Listen { folder: self.folder.clone(), source })?;
        let name = socket.name();
        let stop = CancellationToken::new();
        let plugin = Plugin { device: self.device, shared: self.shared.clone(), streams: self.streams.clone() };
        tokio::spawn(answer(plugin, listener, stop.clone()));
        self.socket = Some((socket, stop.drop_guard()));
        Ok(name)
    }

    async fn register(&self, endpoint: String) -> Result<(), Trouble> {
        let mut kubelet = RegistrationClient::new(connect(&self.folder.join("kubelet.sock")).await?);
        let request = RegisterRequest {
            version: VERSION.to_owned(),
            endpoint,
            resource_name: self.device.resource().to_owned(),
            options: Some(DevicePluginOptions::default()),
        };
        kubelet.register(request).await.map_err(|status| KubeletError::from(Box::new(status)))?;
        Ok(())
    }
}

/// Answers the kubelet on a socket until told to stop.
async fn answer(plugin: Plugin, listener: UnixListener, stop: CancellationToken) {
    let device = plugin.device.resource();
    let server = Server::builder()
        .add_service(DevicePluginServer::new(plugin))
        .serve_with_incoming(UnixListenerStream::new(listener));
    if let Some(Err(error)) = stop.run_until_cancelled(server).await {
        warn!(device, error = %chain(&error), "the device is no longer served");
    }
}

/// Where the kubelet has its device plugins, in its own folder.
pub(crate) fn plugins_folder(kubelet_folder: &Path) -> PathBuf {
    kubelet_folder.join("device-plugins")
}
