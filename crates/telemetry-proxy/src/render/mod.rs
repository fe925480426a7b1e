//! The configurations of the two Collectors. Pure, and the same bytes for the same facts: JSON, which is YAML of one spelling.
//!
//! No token stands in them. *Traffic* knows only the file that lists whom it serves, so that it does not depend on the namespaces
//! at all; *events* takes the token of each destination from a file that is named after the token's digest.

mod events;
mod model;
mod traffic;

pub use events::{Events, MAX_TOKENS, events, token_of_queue};
pub use traffic::{MESSAGE_MIB, Phase, traffic};

use std::path::{Path, PathBuf};

use crate::memory::Share;
use crate::settings::{Settings, Url};
use model::{
    Aggregation, Compaction, Empty, Excluded, Extension, Literal, Logs, Metrics, Prometheus, Pull, PullExporter,
    Reader, Retry, Selector, Stream, Telemetry, View,
};

/// The word in front of a token in the `Authorization` header.
pub const SCHEME: &str = "LumigoToken";

/// What the configurations are made of besides the list of namespaces.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The settings.
    pub settings: Settings,
    /// How the Collectors reach the API server.
    pub access: Access,
    /// Where files lie.
    pub places: Places,
    /// The memory that there is, in bytes, if there is a limit.
    pub memory: Option<u64>,
    /// The cluster's uid, once it is known. Only *events* needs to be told: *traffic* has it from its own look at the cluster.
    pub cluster_uid: Option<String>,
}

/// How the API server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// By the service account of a pod.
    ServiceAccount,
    /// By the kubeconfig that `KUBECONFIG` names, or that of the user.
    Kubeconfig,
}

impl Access {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceAccount",
            Self::Kubeconfig => "kubeConfig",
        }
    }
}

/// Where files lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder of what is made anew at each start; in memory, for tokens are in it.
    pub run: PathBuf,
    /// The folder of what waits for being sent.
    pub queue: PathBuf,
}

impl Places {
    /// The list of the tokens that *traffic* admits.
    pub fn admitted(&self) -> PathBuf {
        self.run.join("admitted")
    }

    /// The folder with the tokens of *events*, one in each file.
    pub fn tokens(&self) -> PathBuf {
        self.run.join("tokens")
    }

    /// The folder of a Collector's queue.
    pub fn queue_of(&self, collector: &str) -> PathBuf {
        self.queue.join(collector)
    }
}

fn to_bytes(configuration: &model::Configuration) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(configuration).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn text(path: &Path) -> Literal {
    Literal(path.display().to_string())
}

/// The name under which queues are kept on disk.
const STORAGE: &str = "file_storage";

fn storage(folder: &Path) -> Extension {
    Extension::FileStorage {
        directory: text(folder),
        timeout: "10s",
        // A file that a crash of the machine has broken is put aside, and the Collector starts.
        recreate: true,
        compaction: Compaction { directory: text(folder), on_start: true, on_rebound: true, cleanup_on_start: true },
    }
}

/// Long enough for an outage; not for ever, for what one tenant cannot get rid of must not hold up all others.
const RETRY: Retry = Retry { initial_interval: "1s", max_interval: "30s", max_elapsed_time: "1h" };

const MEMORY_LIMITER: &str = "memory_limiter";

fn memory_limiter(share: Share) -> model::Processor {
    model::Processor::MemoryLimiter {
        check_interval: "1s",
        limit_mib: share.limit_mib,
        spike_limit_mib: share.spike_mib(),
    }
}

/// What a Collector measures whose labels come from outside, or are as many as there are pods: meters, and instruments of theirs.
/// Measured, they would grow without bound.
const UNBOUNDED: [(&str, Option<&str>); 3] = [
    ("go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc", None),
    ("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", None),
    (
        "github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor",
        Some("*pod.association"),
    ),
];

fn telemetry(port: u16) -> Telemetry {
    let prometheus = Prometheus {
        host: "127.0.0.1",
        port,
        without_scope_info: true,
        without_units: true,
        with_resource_constant_labels: Excluded {
            excluded: ["service.instance.id", "service.name", "service.version"],
        },
    };
    let unbounded = UNBOUNDED.map(|(meter_name, instrument_name)| View {
        selector: Selector { meter_name, instrument_name },
        stream: Stream { aggregation: Aggregation { drop: Empty {} } },
    });
    Telemetry {
        logs: Logs { disable_caller: true, disable_stacktrace: true, disable_zap_resource: true },
        metrics: Metrics {
            // The only one at which views may be set.
            level: "detailed",
            readers: [Reader { pull: Pull { exporter: PullExporter { prometheus } } }],
            views: unbounded.into(),
        },
    }
}

/// The endpoint of one signal, where it has a URL of its own.
fn signal(url: Option<&Url>, path: &str) -> Option<Literal> {
    url.map(|url| Literal(format!("{url}{path}")))
}

/// The statement that names the cluster, where it has a name.
fn cluster_name(settings: &Settings) -> Option<String> {
    let name = &settings.cluster.name;
    // Quoted as in JSON, which the Collector's language reads too.
    let quoted = serde_json::Value::from(name.replace('$', "$$"));
    (!name.is_empty()).then(|| {
        format!(
            "set(resource.attributes[\"k8s.cluster.name\"], {quoted}) where resource.attributes[\"k8s.cluster.name\"] == nil"
        )
    })
}
