//! The kubelet: its services, as generated from `proto/`, and how they are asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use epiphyte_api::Device;
use tonic::transport::{Channel, Endpoint};

use pod_resources::ListPodResourcesRequest;
use pod_resources::pod_resources_lister_client::PodResourcesListerClient;

/// The device plugin API, v1beta1.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod device_plugin {
    include!("../../proto/v1beta1.rs");

    /// The version that a plugin names when it registers.
    pub const VERSION: &str = "v1beta1";
    /// The health of a device that can be given away.
    pub const HEALTHY: &str = "Healthy";
    /// The health of a device that cannot.
    pub const UNHEALTHY: &str = "Unhealthy";
}

/// The pod resources API, v1.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod pod_resources {
    include!("../../proto/v1.rs");
}

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A pod resources answer may be long: every pod of the node with all its devices.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// The kubelet cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeletError {
    /// Its socket is not there, or nobody answers.
    #[error("cannot reach the kubelet at {}", socket.display())]
    Away { socket: PathBuf, source: tonic::transport::Error },
    /// It said no.
    #[error("the kubelet answered {}: {}", .0.code(), .0.message())]
    Refused(#[from] Box<tonic::Status>),
}

/// Connects to a service on a unix socket.
pub(crate) async fn connect(socket: &Path) -> Result<Channel, KubeletError> {
    let away = |source| KubeletError::Away { socket: socket.to_owned(), source };
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(away)?;
    endpoint.connect_timeout(DEADLINE).timeout(DEADLINE).connect().await.map_err(away)
}

/// A container's device, as the kubelet tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) device: Device,
    pub(crate) id: String,
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) container: String,
}

/// The kubelet's service that tells which container has which device.
#[derive(Clone, Debug)]
pub(crate) struct PodResources {
    socket: PathBuf,
}

impl PodResources {
    pub(crate) fn new(kubelet_folder: &Path) -> Self {
        Self { socket: kubelet_folder.join("pod-resources/kubelet.sock") }
    }

    /// Our devices that are in use.
    ///
    /// # Errors
    /// The kubelet cannot be asked.
    pub(crate) async fn used(&self) -> Result<Vec<Used>, KubeletError> {
        let client = PodResourcesListerClient::new(connect(&self.socket).await?);
        let listed = client.max_decoding_message_size(ANSWER_LIMIT).list(ListPodResourcesRequest {}).await;
        let pods = listed.map_err(Box::new)?.into_inner().pod_resources;
        let mut used = Vec::new();
        for pod in pods {
            for container in pod.containers {
                for devices in container.devices {
                    let Some(device) = Device::from_resource(&devices.resource_name) else { continue };
                    used.extend(devices.device_ids.into_iter().map(|id| Used {
                        device,
                        id,
                        namespace: pod.namespace.clone(),
                        pod: pod.name.clone(),
                        container: container.name.clone(),
                    }));
                }
            }
        }
        Ok(used)
    }
}
