//! The plugin of one device, as the kubelet asks it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use epiphyte_api::Device;
use epiphyte_api::names::{DEVICE_MOUNT_PATH, DEVICE_PRELOAD, IDENTITY_FILE, IDENTITY_MOUNT_PATH, LD_PRELOAD};
use epiphyte_daemon::chain;
use epiphyte_injector_core::Variable;
use futures::Stream;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tracing::warn;

use super::sockets::word;
use crate::endpoints::Endpoints;
use crate::identity::Identities;
use crate::kubelet::device_plugin::{
    AllocateRequest, AllocateResponse, ContainerAllocateResponse, Device as ListedDevice, DevicePluginOptions, Empty,
    HEALTHY, ListAndWatchResponse, Mount, UNHEALTHY, device_plugin_server,
};
use crate::metrics::Metrics;
use crate::store::{Store, Supply};

/// What all plugins have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) supply: watch::Receiver<Supply>,
    pub(crate) store: Store,
    pub(crate) identities: Identities,
    /// Where containers send their telemetry.
    pub(crate) endpoints: Arc<Endpoints>,
    /// Devices of each kind.
    pub(crate) count: u32,
    pub(crate) metrics: Metrics,
}

/// What a plugin tells of the streams by which the kubelet listens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    /// The kubelet listens.
    Opened,
    /// It listens no more.
    Ended,
}

/// The plugin of one device.
pub(crate) struct Plugin {
    pub(crate) device: Device,
    pub(crate) shared: Shared,
    /// Told of the streams.
    pub(crate) streams: mpsc::UnboundedSender<Listening>,
}

impl Plugin {
    fn list(device: Device, count: u32, supply: &Supply) -> ListAndWatchResponse {
        let health = if supply.has(device) { HEALTHY } else { UNHEALTHY };
        let listed = |number| ListedDevice { id: format!("{}-{number}", word(device)), health: health.to_owned() };
        ListAndWatchResponse { devices: (0..count).map(listed).collect() }
    }

    /// What a container gets. Whatever is wrong, it gets nothing and starts as it would without us.
    async fn give(&self, ids: &[String]) -> ContainerAllocateResponse {
        let device = self.device;
        let given =
            if device.preloads() { self.give_agent(ids).await } else { Ok(ContainerAllocateResponse::default()) };
        let outcome = given.as_ref().err().copied().unwrap_or("given");
        self.shared.metrics.allocated(device, outcome);
        given.unwrap_or_default()
    }

    async fn give_agent(&self, ids: &[String]) -> Result<ContainerAllocateResponse, &'static str> {
        let id = ids.first().ok_or("nothing_asked")?;
        let supply = self.shared.supply.borrow().clone();
        let agents = supply.agents.clone().filter(|_| supply.has(self.device)).ok_or("not_in_place")?;
        let identity = self.shared.identities.guess(self.device).await;
        let (store, kept, folder) = (self.shared.store.clone(), id.clone(), Arc::clone(&agents));
        let allocated = tokio::task::spawn_blocking(move || store.allocate(&kept, &folder, &identity)).await;
        let identity = allocated.map_err(|_| "stopped")?.map_err(|error| {
            warn!(device = id, error = %chain(&error), "a container starts without its agent");
            error.category()
        })?;
        self.shared.identities.find_out(id);
        let mount = |container_path: &str, host_path: &std::path::Path| Mount {
            container_path: container_path.to_owned(),
            host_path: host_path.display().to_string(),
            read_only: true,
        };
        let mut variables = vec![(LD_PRELOAD, DEVICE_PRELOAD), (Variable::IdentityFile.name(), IDENTITY_FILE)];
        variables.extend(self.shared.endpoints.variables());
        let envs: HashMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mounts = vec![mount(DEVICE_MOUNT_PATH, &agents), mount(IDENTITY_MOUNT_PATH, &identity)];
        Ok(ContainerAllocateResponse { envs, mounts })
    }
}

#[tonic::async_trait]
impl device_plugin_server::DevicePlugin for Plugin {
    /// A stopped agent must not keep a container from starting again, so the kubelet is to ask for nothing then.
    async fn get_device_plugin_options(&self, _: Request<Empty>) -> Result<Response<DevicePluginOptions>, Status> {
        Ok(Response::new(DevicePluginOptions::default()))
    }

    type ListAndWatchStream = Lists;

    async fn list_and_watch(&self, _: Request<Empty>) -> Result<Response<Lists>, Status> {
        let (device, count) = (self.device, self.shared.count);
        // Nobody waits for word of streams any more once the agent stops.
        let _ = self.streams.send(Listening::Opened);
        let mut told = None;
        let lists = WatchStream::new(self.shared.supply.clone()).filter_map(move |supply| {
            let has = supply.has(device);
            (told.replace(has) != Some(has)).then(|| Ok(Self::list(device, count, &supply)))
        });
        Ok(Response::new(Lists { lists: Box::pin(lists), streams: self.streams.clone() }))
    }

    async fn allocate(&self, request: Request<AllocateRequest>) -> Result<Response<AllocateResponse>, Status> {
        let mut container_responses = Vec::new();
        for container in request.into_inner().container_requests {
            container_responses.push(self.give(&container.devices_ids).await);
        }
        Ok(Response::new(AllocateResponse { container_responses }))
    }
}

/// Lists of devices, one for each change. Tells when the kubelet listens no more.
pub(crate) struct Lists {
    lists: Pin<Box<dyn Stream<Item = Result<ListAndWatchResponse, Status>> + Send>>,
    streams: mpsc::UnboundedSender<Listening>,
}

impl Stream for Lists {
    type Item = Result<ListAndWatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lists.as_mut().poll_next(context)
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        let _ = self.streams.send(Listening::Ended);
    }
}
