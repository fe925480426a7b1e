//! The configuration of *traffic*: what applications send goes on under the token that it came with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::model::{
    Association, Authenticator, Configuration, Exporter, Extension, Extract, Header, Parts, Pipeline, Processor,
    Protocols, Receiver, Secret, SendingQueue, Server, Service, Source,
};
use super::{
    Ground, MEMORY_LIMITER, RETRY, SCHEME, STORAGE, cluster_name, memory_limiter, signal, storage, telemetry, text,
    to_bytes,
};
use crate::memory::Share;

/// What *traffic* is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes what applications send.
    Serving,
    /// It takes nothing more, and sends what it has.
    Draining,
}

const TOKENS: &str = "tokens";
const HEADERS: &str = "headers_setter";
const KUBERNETES: &str = "k8sattributes";
const BEFORE: &str = "transform/before";
const AFTER: &str = "transform/after";
/// Receiver, exporter and pipelines of tenants, and of what comes without a token.
const TENANTS: (&str, &str, &str) = ("otlp", "otlp_http", "");
const TOKENLESS: (&str, &str, &str) = ("otlp/tokenless", "otlp_http/tokenless", "/tokenless");

/// The largest message over gRPC, in MiB, and the largest body over HTTP, unpacked.
pub const MESSAGE_MIB: u32 = 16;

/// What a connection over gRPC takes of memory to begin with, before anything was sent, each way: the Collector's own default is 512 KiB,
/// by which a few thousand silent connections are a memory limit.
const BUFFER: u32 = 8 << 10;

/// How a body over HTTP may be packed: as agents do it. Others would have a few bytes claim gigabytes before anybody looks.
const COMPRESSION: [&str; 2] = ["", "gzip"];

/// How many requests are under way upstream at once, for each of traces, logs and metrics.
const CONSUMERS: u32 = 32;

/// What Kubernetes knows of a pod, its containers and its owners.
const ATTRIBUTES: [&str; 23] = [
    "container.image.name",
    "container.image.tag",
    "k8s.cluster.uid",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.cronjob.uid",
    "k8s.daemonset.name",
    "k8s.daemonset.uid",
    "k8s.deployment.name",
    "k8s.deployment.uid",
    "k8s.job.name",
    "k8s.job.uid",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.start_time",
    "k8s.pod.uid",
    "k8s.replicaset.name",
    "k8s.replicaset.uid",
    "k8s.statefulset.name",
    "k8s.statefulset.uid",
    "service.name",
    "service.version",
];

/// The name that an agent gives a service that has none, put aside and taken back where Kubernetes knows none either.
const PUT_ASIDE: [&str; 2] = [
    "set(resource.attributes[\"epiphyte.service.name\"], resource.attributes[\"service.name\"]) where IsMatch(resource.attributes[\"service.name\"], \"^unknown_service\")",
    "delete_key(resource.attributes, \"service.name\") where resource.attributes[\"epiphyte.service.name\"] != nil",
];
const TAKE_BACK: [&str; 2] = [
    "set(resource.attributes[\"service.name\"], resource.attributes[\"epiphyte.service.name\"]) where resource.attributes[\"service.name\"] == nil and resource.attributes[\"epiphyte.service.name\"] != nil",
    "delete_key(resource.attributes, \"epiphyte.service.name\")",
];

/// The configuration of *traffic*.
pub fn traffic(ground: &Ground, phase: Phase) -> Vec<u8> {
    let Ground { settings, access, places, memory, .. } = ground;
    let listen = &settings.listen;
    let mut configuration = Configuration {
        extensions: Parts::from([
            (TOKENS.to_owned(), Extension::Tokens { file: text(&places.admitted()), scheme: SCHEME }),
            (
                HEADERS.to_owned(),
                Extension::HeadersSetter {
                    headers: [Header { action: "upsert", key: "Authorization", from_context: "authorization" }],
                },
            ),
            (STORAGE.to_owned(), storage(&places.queue_of("traffic"))),
        ]),
        receivers: Parts::from([(TENANTS.0.to_owned(), receiver(listen.grpc, listen.http, phase, Some(TOKENS)))]),
        processors: Parts::from([
            (MEMORY_LIMITER.to_owned(), memory_limiter(Share::of_traffic(*memory))),
            (BEFORE.to_owned(), transform(PUT_ASIDE.map(str::to_owned).to_vec())),
            (
                KUBERNETES.to_owned(),
                Processor::Kubernetes {
                    auth_type: access.as_str(),
                    extract: Extract { metadata: &ATTRIBUTES },
                    pod_association: associations(),
                },
            ),
            (
                AFTER.to_owned(),
                transform(TAKE_BACK.map(str::to_owned).into_iter().chain(cluster_name(settings)).collect()),
            ),
        ]),
        connectors: Parts::new(),
        exporters: Parts::from([(
            TENANTS.1.to_owned(),
            Exporter {
                endpoint: settings.endpoint.otlp.url.as_str().into(),
                logs_endpoint: signal(settings.endpoint.otlp.logs_url.as_ref(), "/v1/logs"),
                metrics_endpoint: signal(settings.endpoint.otlp.metrics_url.as_ref(), "/v1/metrics"),
                auth: Some(Authenticator { authenticator: HEADERS }),
                headers: BTreeMap::new(),
                sending_queue: queue(ground),
                retry_on_failure: RETRY,
            },
        )]),
        service: Service {
            extensions: vec![TOKENS, HEADERS, STORAGE],
            pipelines: pipelines(TENANTS).collect(),
            telemetry: telemetry(listen.traffic_metrics),
        },
    };
    if let Some(tokenless) = &settings.tokenless {
        let (receiver_name, exporter_name, _) = TOKENLESS;
        configuration.receivers.insert(receiver_name.to_owned(), receiver(tokenless.grpc, tokenless.http, phase, None));
        let authorization = tokenless.authorization_file.as_ref();
        configuration.exporters.insert(
            exporter_name.to_owned(),
            Exporter {
                endpoint: tokenless.url.as_str().into(),
                logs_endpoint: None,
                metrics_endpoint: None,
                auth: None,
                headers: authorization
                    .map(|file| ("Authorization", Secret::File(file.display().to_string())))
                    .into_iter()
                    .collect(),
                sending_queue: queue(ground),
                retry_on_failure: RETRY,
            },
        );
        configuration.service.pipelines.extend(pipelines(TOKENLESS));
    }
    to_bytes(&configuration)
}

fn receiver(grpc: SocketAddr, http: SocketAddr, phase: Phase, authenticator: Option<&'static str>) -> Receiver {
    let server = |address: SocketAddr| Server {
        endpoint: match phase {
            Phase::Serving => address.to_string(),
            // A pipeline has a receiver: this one is where nobody looks.
            Phase::Draining => "127.0.0.1:0".to_owned(),
        },
        max_recv_msg_size_mib: None,
        read_buffer_size: None,
        write_buffer_size: None,
        max_request_body_size: None,
        compression_algorithms: None,
        // The exporter takes the sender's header from there; where there is none to be sent on, none is kept.
        include_metadata: authenticator.is_some(),
        auth: authenticator.map(|authenticator| Authenticator { authenticator }),
    };
    Receiver::Otlp {
        protocols: Protocols {
            grpc: Server {
                max_recv_msg_size_mib: Some(MESSAGE_MIB),
                read_buffer_size: Some(BUFFER),
                write_buffer_size: Some(BUFFER),
                ..server(grpc)
            },
            http: Server {
                max_request_body_size: Some(MESSAGE_MIB << 20),
                compression_algorithms: Some(COMPRESSION),
                ..server(http)
            },
        },
    }
}

fn transform(statements: Vec<String>) -> Processor {
    Processor::Transform {
        error_mode: "ignore",
        trace_statements: statements.clone(),
        log_statements: statements.clone(),
        metric_statements: statements,
    }
}

/// By the pod's uid where the sender tells it, else by where the connection comes from.
fn associations() -> Vec<Association> {
    [("resource_attribute", Some("k8s.pod.uid")), ("connection", None)]
        .map(|(from, name)| Association { sources: [Source { from, name }] })
        .into()
}

fn queue(ground: &Ground) -> SendingQueue {
    SendingQueue {
        storage: STORAGE,
        sizer: "bytes",
        queue_size: u64::from(ground.settings.queue.size_mib) << 20,
        num_consumers: CONSUMERS,
    }
}

/// A pipeline for each signal. None of them batches: data of two tenants must not share a request, and agents batch already.
fn pipelines(
    (receiver, exporter, suffix): (&'static str, &'static str, &str),
) -> impl Iterator<Item = (String, Pipeline)> {
    ["traces", "logs", "metrics"].into_iter().map(move |signal| {
        let processors = vec![MEMORY_LIMITER, BEFORE, KUBERNETES, AFTER];
        (format!("{signal}{suffix}"), Pipeline { receivers: [receiver], processors, exporters: [exporter.to_owned()] })
    })
}
