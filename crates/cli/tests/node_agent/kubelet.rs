//! A kubelet, played at its sockets: it empties its folder when it starts, dials whoever registers, listens to the plugin, and
//! tells which container has which device.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

use epiphyte_node_agent::kubelet::device_plugin::device_plugin_client::DevicePluginClient;
use epiphyte_node_agent::kubelet::device_plugin::registration_server::{Registration, RegistrationServer};
use epiphyte_node_agent::kubelet::device_plugin::{
    AllocateRequest, ContainerAllocateRequest, ContainerAllocateResponse, Empty, HEALTHY, RegisterRequest,
};
use epiphyte_node_agent::kubelet::pod_resources::pod_resources_lister_server::{
    PodResourcesLister, PodResourcesListerServer,
};
use epiphyte_node_agent::kubelet::pod_resources::{
    ContainerDevices, ContainerResources, ListPodResourcesRequest, ListPodResourcesResponse, PodResources,
};
use tokio::net::UnixListener;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

/// What the kubelet knows of a plugin.
struct Plugin {
    client: DevicePluginClient<Channel>,
    socket: String,
    /// Health by the device's id.
    devices: HashMap<String, bool>,
    listening: AbortHandle,
}

/// What a kubelet knows. Shared with its services.
#[derive(Clone, Default)]
struct Memory {
    plugins: Arc<Mutex<HashMap<String, Plugin>>>,
    pods: Arc<Mutex<Vec<PodResources>>>,
}

/// A kubelet. Ends when dropped.
pub struct Kubelet {
    folder: PathBuf,
    memory: Memory,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Kubelet {
    /// Starts a kubelet with its folders in this one.
    pub async fn start(folder: &Path) -> Self {
        let kubelet = Self { folder: folder.to_owned(), memory: Memory::default(), servers: Mutex::default() };
        kubelet.begin();
        kubelet
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn begin(&self) {
        let (plugins, resources) = (self.folder.join("device-plugins"), self.folder.join("pod-resources"));
        for folder in [&plugins, &resources] {
            // As the kubelet does.
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).expect("the kubelet's folder is made");
        }
        let registration = RegistrationServer::new(Service { memory: self.memory.clone(), folder: plugins.clone() });
        let lister = PodResourcesListerServer::new(Service { memory: self.memory.clone(), folder: plugins.clone() });
        let listen = |folder: &Path| {
            UnixListenerStream::new(UnixListener::bind(folder.join("kubelet.sock")).expect("the kubelet listens"))
        };
        let (one, other) = (listen(&plugins), listen(&resources));
        let servers = [
            tokio::spawn(async move {
                Server::builder().add_service(registration).serve_with_incoming(one).await.expect("it serves");
            }),
            tokio::spawn(async move {
                Server::builder().add_service(lister).serve_with_incoming(other).await.expect("it serves");
            }),
        ];
        self.servers.lock().expect("no panic").extend(servers);
    }

    /// Ends: connections to plugins close, and nobody listens any more.
    pub fn stop(&self) {
        self.servers.lock().expect("no panic").drain(..).for_each(|server| server.abort());
        let plugins = std::mem::take(&mut *self.memory.plugins.lock().expect("no panic"));
        plugins.into_values().for_each(|plugin| plugin.listening.abort());
    }

    /// Starts anew.
    pub fn restart(&self) {
        self.stop();
        self.begin();
    }

    /// Stops listening to a plugin.
    pub fn hang_up(&self, resource: &str) {
        if let Some(plugin) = self.memory.plugins.lock().expect("no panic").remove(resource) {
            plugin.listening.abort();
        }
    }

    /// How many devices a plugin has, and how many of them are healthy.
    pub fn devices(&self, resource: &str) -> (usize, usize) {
        let plugins = self.memory.plugins.lock().expect("no panic");
        let devices = plugins.get(resource).map(|plugin| &plugin.devices);
        devices.map_or((0, 0), |devices| (devices.len(), devices.values().filter(|healthy| **healthy).count()))
    }

    /// Name of a plugin's socket.
    pub fn socket(&self, resource: &str) -> Option<String> {
        Some(self.memory.plugins.lock().expect("no panic").get(resource)?.socket.clone())
    }

    /// Asks a plugin what containers get, each for one device.
    pub async fn allocate(&self, resource: &str, ids: &[&str]) -> Vec<ContainerAllocateResponse> {
        let client = self.memory.plugins.lock().expect("no panic").get(resource).map(|plugin| plugin.client.clone());
        let asked = |id: &&str| ContainerAllocateRequest { devices_ids: vec![(*id).to_owned()] };
        let container_requests = ids.iter().map(asked).collect();
        let mut client = client.expect("a plugin");
        client
            .allocate(AllocateRequest { container_requests })
            .await
            .expect("an answer")
            .into_inner()
            .container_responses
    }

    /// Tells from now on that a container has a device.
    pub fn has(&self, (namespace, pod, container): (&str, &str, &str), resource: &str, id: &str) {
        let devices = vec![ContainerDevices { resource_name: resource.to_owned(), device_ids: vec![id.to_owned()] }];
        self.memory.pods.lock().expect("no panic").push(PodResources {
            name: pod.to_owned(),
            namespace: namespace.to_owned(),
            containers: vec![ContainerResources { name: container.to_owned(), devices }],
        });
    }

    /// Tells of no pod any more.
    pub fn forget_pods(&self) {
        self.memory.pods.lock().expect("no panic").clear();
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Service {
    memory: Memory,
    folder: PathBuf,
}

#[tonic::async_trait]
impl Registration for Service {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        let RegisterRequest { version, endpoint, resource_name, options } = request.into_inner();
        assert_eq!((version.as_str(), options.map(|it| it.pre_start_required)), ("v1beta1", Some(false)));
        let socket = format!("unix://{}", self.folder.join(&endpoint).display());
        let channel = Endpoint::from_shared(socket).expect("a path").connect().await;
        let client = DevicePluginClient::new(channel.map_err(|error| Status::unavailable(error.to_string()))?);
        let (memory, name, mut listener) = (self.memory.clone(), resource_name.clone(), client.clone());
        let listening = tokio::spawn(async move {
            let mut lists = listener.list_and_watch(Empty {}).await.expect("a stream").into_inner();
            while let Ok(Some(list)) = lists.message().await {
                if let Some(plugin) = memory.plugins.lock().expect("no panic").get_mut(&name) {
                    plugin.devices = list.devices.into_iter().map(|it| (it.id, it.health == HEALTHY)).collect();
                }
            }
            // Whoever has registered meanwhile goes too, as with the kubelet.
            if let Some(plugin) = memory.plugins.lock().expect("no panic").remove(&name) {
                plugin.listening.abort();
            }
        });
        let mut plugins = self.memory.plugins.lock().expect("no panic");
        let listening = listening.abort_handle();
        let plugin = Plugin { client, socket: endpoint, devices: HashMap::new(), listening };
        plugins.insert(resource_name, plugin);
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl PodResourcesLister for Service {
    async fn list(&self, _: Request<ListPodResourcesRequest>) -> Result<Response<ListPodResourcesResponse>, Status> {
        let pod_resources = self.memory.pods.lock().expect("no panic").clone();
        Ok(Response::new(ListPodResourcesResponse { pod_resources }))
    }
}
