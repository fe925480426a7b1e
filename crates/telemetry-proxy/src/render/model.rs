//! The Collector's configuration as far as it is used here, by the names that the Collector gives its keys.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// The parts of one kind, by the names under which pipelines ask for them.
pub(super) type Parts<T> = BTreeMap<String, T>;

/// A text of ours. The Collector puts values in the place of `${...}` in every text of its configuration: in these it does not.
#[derive(Clone, Debug)]
pub(super) struct Literal(pub(super) String);

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.replace('$', "$$"))
    }
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The value of a header.
#[derive(Clone, Debug)]
pub(super) enum Secret {
    /// What a file holds when the Collector reads its configuration.
    File(String),
    /// A word, and after it what a file holds.
    Schemed(&'static str, String),
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(path) => serializer.collect_str(&format_args!("${{file:{path}}}")),
            Self::Schemed(scheme, path) => serializer.collect_str(&format_args!("{scheme} ${{file:{path}}}")),
        }
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    pub(super) extensions: Parts<Extension>,
    pub(super) receivers: Parts<Receiver>,
    pub(super) processors: Parts<Processor>,
    #[serde(skip_serializing_if = "Parts::is_empty")]
    pub(super) connectors: Parts<Routing>,
    pub(super) exporters: Parts<Exporter>,
    pub(super) service: Service,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Extension {
    Tokens { file: Literal, scheme: &'static str },
    HeadersSetter { headers: [Header; 1] },
    FileStorage { directory: Literal, timeout: &'static str, recreate: bool, compaction: Compaction },
}

#[derive(Debug, Serialize)]
pub(super) struct Header {
    pub(super) action: &'static str,
    pub(super) key: &'static str,
    pub(super) from_context: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Compaction {
    pub(super) directory: Literal,
    pub(super) on_start: bool,
    pub(super) on_rebound: bool,
    pub(super) cleanup_on_start: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Receiver {
    Otlp { protocols: Protocols },
    Objects { auth_type: &'static str, objects: [Watched; 2] },
}

#[derive(Debug, Serialize)]
pub(super) struct Protocols {
    pub(super) grpc: Server,
    pub(super) http: Server,
}

#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_recv_msg_size_mib: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_buffer_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) write_buffer_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_request_body_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) compression_algorithms: Option<[&'static str; 2]>,
    pub(super) include_metadata: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Authenticator>,
}

#[derive(Debug, Serialize)]
pub(super) struct Authenticator {
    pub(super) authenticator: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Watched {
    pub(super) name: &'static str,
    pub(super) mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interval: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exclude_watch_type: Option<[&'static str; 1]>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Processor {
    MemoryLimiter {
        check_interval: &'static str,
        limit_mib: u64,
        spike_limit_mib: u64,
    },
    Kubernetes {
        auth_type: &'static str,
        extract: Extract,
        pod_association: Vec<Association>,
    },
    Transform {
        error_mode: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trace_statements: Vec<String>,
        log_statements: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        metric_statements: Vec<String>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Extract {
    pub(super) metadata: &'static [&'static str],
}

#[derive(Debug, Serialize)]
pub(super) struct Association {
    pub(super) sources: [Source; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct Source {
    pub(super) from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Routing {
    pub(super) error_mode: &'static str,
    pub(super) table: Vec<Route>,
}

#[derive(Debug, Serialize)]
pub(super) struct Route {
    pub(super) context: &'static str,
    pub(super) condition: Literal,
    pub(super) pipelines: [String; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct Exporter {
    pub(super) endpoint: Literal,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logs_endpoint: Option<Literal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics_endpoint: Option<Literal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Authenticator>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<&'static str, Secret>,
    pub(super) sending_queue: SendingQueue,
    pub(super) retry_on_failure: Retry,
}

#[derive(Debug, Serialize)]
pub(super) struct SendingQueue {
    pub(super) storage: &'static str,
    pub(super) sizer: &'static str,
    pub(super) queue_size: u64,
    pub(super) num_consumers: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Retry {
    pub(super) initial_interval: &'static str,
    pub(super) max_interval: &'static str,
    pub(super) max_elapsed_time: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Service {
    pub(super) extensions: Vec<&'static str>,
    pub(super) pipelines: Parts<Pipeline>,
    pub(super) telemetry: Telemetry,
}

#[derive(Debug, Serialize)]
pub(super) struct Pipeline {
    pub(super) receivers: [&'static str; 1],
    pub(super) processors: Vec<&'static str>,
    pub(super) exporters: [String; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct Telemetry {
    pub(super) logs: Logs,
    pub(super) metrics: Metrics,
}

#[derive(Debug, Serialize)]
pub(super) struct Logs {
    pub(super) disable_caller: bool,
    pub(super) disable_stacktrace: bool,
    pub(super) disable_zap_resource: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Metrics {
    pub(super) level: &'static str,
    pub(super) readers: [Reader; 1],
    pub(super) views: Vec<View>,
}

#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) selector: Selector,
    pub(super) stream: Stream,
}

#[derive(Debug, Serialize)]
pub(super) struct Selector {
    pub(super) meter_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instrument_name: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Stream {
    pub(super) aggregation: Aggregation,
}

/// None: what is measured is dropped.
#[derive(Debug, Serialize)]
pub(super) struct Aggregation {
    pub(super) drop: Empty,
}

#[derive(Debug, Serialize)]
pub(super) struct Empty {}

#[derive(Debug, Serialize)]
pub(super) struct Reader {
    pub(super) pull: Pull,
}

#[derive(Debug, Serialize)]
pub(super) struct Pull {
    pub(super) exporter: PullExporter,
}

#[derive(Debug, Serialize)]
pub(super) struct PullExporter {
    pub(super) prometheus: Prometheus,
}

#[derive(Debug, Serialize)]
pub(super) struct Prometheus {
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) without_scope_info: bool,
    pub(super) without_units: bool,
    pub(super) with_resource_constant_labels: Excluded,
}

#[derive(Debug, Serialize)]
pub(super) struct Excluded {
    pub(super) excluded: [&'static str; 3],
}
