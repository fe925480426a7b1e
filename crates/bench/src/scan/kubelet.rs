//! A kubelet, played at its sockets: it listens to the plugins that register, gives devices to containers, and tells which
//! container has which.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use epiphyte_api::Device;
use epiphyte_node_agent::kubelet::device_plugin::device_plugin_client::DevicePluginClient;
use epiphyte_node_agent::kubelet::device_plugin::registration_server::{Registration, RegistrationServer};
use epiphyte_node_agent::kubelet::device_plugin::{AllocateRequest, ContainerAllocateRequest, Empty, RegisterRequest};
use epiphyte_node_agent::kubelet::pod_resources::pod_resources_lister_server::{
    PodResourcesLister, PodResourcesListerServer,
};
use epiphyte_node_agent::kubelet::pod_resources::{
    ContainerDevices, ContainerResources, ListPodResourcesRequest, ListPodResourcesResponse, PodResources,
};
use parking_lot::Mutex;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

/// A device that a container has.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) namespace: &'static str,
    pub(super) pod: String,
    pub(super) device: Device,
    pub(super) number: usize,
}

impl Given {
    /// The device's id, as the plugin names it.
    fn id(&self) -> String {
        let resource = self.device.resource();
        let word = resource.split(['/', '-']).nth(1).unwrap_or_default();
        format!("{word}-{}", self.number)
    }
}

/// A kubelet, for as long as the runtime lives.
pub(super) struct Kubelet {
    folder: PathBuf,
    service: Service,
}

#[derive(Clone)]
struct Service {
    plugins_folder: PathBuf,
    given: Arc<[Given]>,
    /// The plugins that have registered.
    plugins: Arc<Mutex<HashMap<String, DevicePluginClient<Channel>>>>,
}

impl Kubelet {
    /// Starts one with its folders in this one, whose containers have these devices.
    pub(super) fn start(folder: PathBuf, given: Vec<Given>) -> Result<Self> {
        let (plugins, resources) = (folder.join("device-plugins"), folder.join("pod-resources"));
        let service = Service { plugins_folder: plugins.clone(), given: given.into(), plugins: Arc::default() };
        let registration = Server::builder().add_service(RegistrationServer::new(service.clone()));
        tokio::spawn(registration.serve_with_incoming(listen(&plugins)?));
        let lister = Server::builder().add_service(PodResourcesListerServer::new(service.clone()));
        tokio::spawn(lister.serve_with_incoming(listen(&resources)?));
        Ok(Self { folder, service })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has the plugins give the containers their devices.
    pub(super) async fn give(&self) -> Result<()> {
        for given in self.service.given.iter() {
            let plugin = self.service.plugins.lock().get(given.device.resource()).cloned();
            let asked = ContainerAllocateRequest { devices_ids: vec![given.id()] };
            let mut plugin = plugin.context("a plugin has not registered")?;
            plugin.allocate(AllocateRequest { container_requests: vec![asked] }).await?;
        }
        Ok(())
    }
}

fn listen(folder: &Path) -> Result<UnixListenerStream> {
    std::fs::create_dir_all(folder)?;
    Ok(UnixListenerStream::new(UnixListener::bind(folder.join("kubelet.sock"))?))
}

#[tonic::async_trait]
impl Registration for Service {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        let RegisterRequest { endpoint, resource_name, .. } = request.into_inner();
        let socket = format!("unix://{}", self.plugins_folder.join(&endpoint).display());
        let away = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let channel = Endpoint::from_shared(socket).map_err(away)?.connect().await.map_err(away)?;
        let client = DevicePluginClient::new(channel);
        let mut listener = client.clone();
        tokio::spawn(async move {
            let mut lists = listener.list_and_watch(Empty {}).await?.into_inner();
            while lists.message().await?.is_some() {}
            Ok::<(), Status>(())
        });
        self.plugins.lock().insert(resource_name, client);
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl PodResourcesLister for Service {
    async fn list(&self, _: Request<ListPodResourcesRequest>) -> Result<Response<ListPodResourcesResponse>, Status> {
        let pod = |given: &Given| {
            let resource_name = given.device.resource().to_owned();
            let devices = vec![ContainerDevices { resource_name, device_ids: vec![given.id()] }];
            let containers = vec![ContainerResources { name: "app".to_owned(), devices }];
            PodResources { name: given.pod.clone(), namespace: given.namespace.to_owned(), containers }
        };
        Ok(Response::new(ListPodResourcesResponse { pod_resources: self.given.iter().map(pod).collect() }))
    }
}
