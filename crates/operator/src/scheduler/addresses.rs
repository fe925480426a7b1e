//! The addresses of the telemetry proxy: what the EndpointSlices of its Service say, ready or not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use epiphyte_api::names::{HEALTH_PORT, TELEMETRY_PROXY};
use epiphyte_daemon::{Named, Object, ObjectKey, Ready, Served, Sink, Watched};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::RwLock;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::watch::{PAGE, tell};

/// The label by which a slice says whose it is.
const OF_SERVICE: &str = "kubernetes.io/service-name";

/// Where the proxy says of itself whether it takes telemetry, where the Service has no port of that name.
const USUAL_PORT: i32 = 13133;

/// The addresses, for as long as this value lives.
pub(super) struct Addresses {
    slices: Slices,
    /// What is awaited: the first list.
    listed: Ready,
    _watch: JoinSet<()>,
}

/// What each slice says; by the watch.
#[derive(Clone, Default)]
struct Slices {
    known: Arc<RwLock<BTreeMap<ObjectKey, Slice>>>,
    metrics: Metrics,
}

impl Addresses {
    /// Watches the slices of the Service in a namespace.
    pub(super) fn watch(client: &Client, namespace: &str, metrics: &Metrics) -> Self {
        let (slices, listed) = (Slices { metrics: metrics.clone(), ..Slices::default() }, Ready::default());
        let api = Api::<Object<Slice>>::namespaced(client.clone(), namespace);
        let config = watcher::Config::default().labels(&format!("{OF_SERVICE}={TELEMETRY_PROXY}")).page_size(PAGE);
        let mut watch = JoinSet::new();
        watch.spawn(epiphyte_daemon::watch(api, config, slices.clone(), listed.expect(Slice::SERVED.plural)));
        Self { slices, listed, _watch: watch }
    }

    /// All addresses, each once; `None` before the first list.
    pub(super) fn known(&self) -> Option<BTreeSet<SocketAddr>> {
        let all = || self.slices.known.read().values().flat_map(|slice| slice.0.iter().copied()).collect();
        self.listed.is_ready().then(all)
    }
}

/// The addresses of a slice, each with the port to ask at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slice(Vec<SocketAddr>);

#[derive(Deserialize)]
#[serde(transparent)]
struct Manifest(EndpointSlice);

impl Named for Manifest {
    fn key(&self) -> ObjectKey {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        let metadata = &self.0.metadata;
        ObjectKey { namespace: text(&metadata.namespace), name: text(&metadata.name) }
    }

    fn resource_version(&self) -> &str {
        self.0.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

impl Watched for Slice {
    const SERVED: Served =
        Served { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", plural: "endpointslices" };
    const GUARDED: bool = false;
    type Manifest = Manifest;

    fn read(Manifest(slice): Manifest) -> Self {
        let health = slice.ports.iter().flatten().find(|port| port.name.as_deref() == Some(HEALTH_PORT));
        let port = health.and_then(|port| port.port).unwrap_or(USUAL_PORT);
        let Ok(port) = u16::try_from(port) else { return Self(Vec::new()) };
        // Names, which slices may hold too, are no addresses of pods.
        let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
        let addresses = addresses.filter_map(|address| address.parse::<IpAddr>().ok());
        Self(addresses.map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl Sink<Slice> for Slices {
    fn delivered(&self) {
        self.metrics.watch_event(Slice::SERVED.plural);
    }

    fn apply(&self, key: ObjectKey, slice: Slice) {
        self.known.write().insert(key, slice);
    }

    fn skip(&self, _key: &ObjectKey) {
        self.metrics.unreadable(Slice::SERVED.plural);
    }

    fn delete(&self, key: &ObjectKey) {
        self.known.write().remove(key);
    }

    fn listed(&self, keys: &HashSet<ObjectKey>) {
        self.known.write().retain(|key, _| keys.contains(key));
    }

    fn failed(&self) {
        self.metrics.watch_error(Slice::SERVED.plural);
    }

    fn tell(&self, error: &watcher::Error, text: &str) -> bool {
        tell(Slice::SERVED, error, text);
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(slice: &Value) -> Vec<String> {
        let Slice(addresses) = Slice::read(Manifest::deserialize(slice).expect("a slice"));
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_address_is_asked_at_the_health_port_whether_ready_or_not() {
        let slice = json!({
            "metadata": { "name": "a" }, "addressType": "IPv4",
            "ports": [{ "name": "otlp-grpc", "port": 4317 }, { "name": "health", "port": 10001 }],
            "endpoints": [
                { "addresses": ["10.0.0.7"], "conditions": { "ready": true } },
                { "addresses": ["10.0.0.8"], "conditions": { "ready": false } },
            ],
        });
        assert_eq!(read(&slice), ["10.0.0.7:10001", "10.0.0.8:10001"]);
    }

    #[test]
    fn addresses_of_either_family_count_and_names_do_not() {
        let slice = |r#type: &str, address: &str| {
            json!({
                "metadata": { "name": "a" }, "addressType": r#type, "ports": [{ "name": "health", "port": 13133 }],
                "endpoints": [{ "addresses": [address] }],
            })
        };
        assert_eq!(read(&slice("IPv6", "fd00::7")), ["[fd00::7]:13133"]);
        assert_eq!(read(&slice("FQDN", "proxy.example.com")), [""; 0]);
    }

    #[test]
    fn a_slice_without_ports_or_endpoints_has_what_it_has() {
        let slice = json!({ "metadata": { "name": "a" }, "addressType": "IPv4", "endpoints": null, "ports": null });
        assert_eq!(read(&slice), [""; 0]);
        let slice = json!({
            "metadata": { "name": "a" }, "addressType": "IPv4", "endpoints": [{ "addresses": ["10.0.0.7"] }],
        });
        assert_eq!(read(&slice), ["10.0.0.7:13133"]);
    }
}
