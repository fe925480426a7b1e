//! Merging as processes see it: an environment in, an environment out.

use std::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use proptest::prelude::*;

use super::{Facts, merge};
use crate::{host::Host, identity::Identity, program::Runtime, variables::Variables};

const ROOT: &str = "/opt/lumigo";
const JAVA: &str = "-javaagent:/opt/lumigo/java/agent.jar";
const NODE: &str = "--require /opt/lumigo/node/register.js";
const PYTHON: &str = "/opt/lumigo/python";

/// A process that is about to start.
struct Process {
    runtime: Runtime,
    identity: String,
    host: String,
    hosts: &'static str,
    namespace: String,
    environment: Vec<String>,
}

fn process(runtime: Runtime) -> Process {
    Process {
        runtime,
        identity: String::new(),
        host: "checkout-5d9c7bfd4-x2x4z".to_string(),
        hosts: "# Kubernetes-managed hosts file.\n",
        namespace: "shop\n".to_string(),
        environment: vec!["PATH=/bin".to_string()],
    }
}

impl Process {
    fn with(mut self, entry: &str) -> Self {
        self.environment.push(entry.to_string());
        self
    }

    fn identity(mut self, text: &str) -> Self {
        self.identity = text.to_string();
        self
    }

    fn host(mut self, name: &str) -> Self {
        self.host = name.to_string();
        self
    }

    /// The environment that the program sees.
    fn start(mut self) -> Self {
        let entries = self.environment.clone();
        let variables = Variables::gather(entries.iter().map(String::as_bytes));
        let mut memory = vec![0; 65_536];
        let facts = Facts {
            runtime: self.runtime,
            root: ROOT.as_bytes(),
            variables: &variables,
            identity: Identity(self.identity.as_bytes()),
            host: Host::of(self.host.as_bytes(), self.hosts.as_bytes()),
            namespace: self.namespace.as_bytes(),
        };
        let mut changes = merge(&facts, &mut memory).unwrap();
        for variable in changes.variables().collect::<Vec<_>>() {
            let entry = changes.take(variable).unwrap().strip_suffix(b"\0").unwrap();
            let entry = String::from_utf8(entry.to_vec()).unwrap();
            let name = format!("{}=", variable.name());
            match self.environment.iter_mut().find(|old| old.starts_with(&name)) {
                Some(old) => *old = entry,
                None => self.environment.push(entry),
            }
        }
        self
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.environment.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    fn sees(self, name: &str, value: &str) -> Self {
        assert_eq!(self.get(name), Some(value), "{name}");
        self
    }

    fn lacks(self, name: &str) -> Self {
        assert_eq!(self.get(name), None, "{name}");
        self
    }
}

#[test]
fn each_runtime_gets_its_own_variable_and_no_other() {
    process(Runtime::Java).start().sees("JAVA_TOOL_OPTIONS", JAVA).lacks("NODE_OPTIONS").lacks("PYTHONPATH");
    process(Runtime::Node).start().sees("NODE_OPTIONS", NODE).lacks("JAVA_TOOL_OPTIONS").lacks("PYTHONPATH");
    process(Runtime::Python).start().sees("PYTHONPATH", PYTHON).lacks("JAVA_TOOL_OPTIONS").lacks("NODE_OPTIONS");
}

#[test]
fn the_users_options_stay_beside_ours() {
    process(Runtime::Java)
        .with("JAVA_TOOL_OPTIONS=-Xmx1g -Da='b c'")
        .start()
        .sees("JAVA_TOOL_OPTIONS", &format!("-Xmx1g -Da='b c' {JAVA}"));
    process(Runtime::Node)
        .with("NODE_OPTIONS=--max-old-space-size=64")
        .start()
        .sees("NODE_OPTIONS", &format!("{NODE} --max-old-space-size=64"));
    process(Runtime::Python).with("PYTHONPATH=/app:/lib").start().sees("PYTHONPATH", &format!("{PYTHON}:/app:/lib"));
    process(Runtime::Python).with("PYTHONPATH=").start().sees("PYTHONPATH", PYTHON);
}

#[test]
fn what_only_looks_like_ours_is_not_taken_for_it() {
    let like = format!("{JAVA}.bak");
    process(Runtime::Java)
        .with(&format!("JAVA_TOOL_OPTIONS={like}"))
        .start()
        .sees("JAVA_TOOL_OPTIONS", &format!("{like} {JAVA}"));
    process(Runtime::Python)
        .with("PYTHONPATH=/opt/lumigo/python2:/x/opt/lumigo/python")
        .start()
        .sees("PYTHONPATH", &format!("{PYTHON}:/opt/lumigo/python2:/x/opt/lumigo/python"));
}

#[test]
fn ours_are_recognised_however_a_user_wrote_them() {
    for given in ["-r /opt/lumigo/node/register.js", "--require=/opt/lumigo/node/register.js --inspect"] {
        process(Runtime::Node).with(&format!("NODE_OPTIONS={given}")).start().sees("NODE_OPTIONS", given);
    }
    let given = format!("{JAVA}=debug");
    process(Runtime::Java).with(&format!("JAVA_TOOL_OPTIONS={given}")).start().sees("JAVA_TOOL_OPTIONS", &given);
}

#[test]
fn a_lumigo_token_leads_to_lumigos_endpoint_with_its_header() {
    process(Runtime::Python)
        .with("LUMIGO_TRACER_TOKEN=t_123")
        .with("LUMIGO_ENDPOINT=http://proxy:4318/v1/traces")
        .with("LUMIGO_LOGS_ENDPOINT=http://proxy:4318/v1/logs")
        .with("EPIPHYTE_ENDPOINT=http://default:4319")
        .start()
        .sees("OTEL_EXPORTER_OTLP_ENDPOINT", "http://proxy:4318")
        .sees("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .sees("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=LumigoToken%20t_123")
        .sees("OTEL_METRICS_EXPORTER", "none")
        .lacks("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
}

#[test]
fn without_a_token_telemetry_goes_to_the_default_endpoint() {
    process(Runtime::Python)
        .with("LUMIGO_ENDPOINT=http://proxy:4318/v1/traces")
        .with("EPIPHYTE_ENDPOINT=http://default:4319/")
        .start()
        .sees("OTEL_EXPORTER_OTLP_ENDPOINT", "http://default:4319")
        .lacks("OTEL_EXPORTER_OTLP_HEADERS");
    process(Runtime::Python)
        .with("LUMIGO_ENDPOINT=http://proxy:4318/v1/traces")
        .start()
        .sees("OTEL_EXPORTER_OTLP_ENDPOINT", "http://proxy:4318");
}

#[test]
fn an_endpoint_that_is_but_a_path_counts_as_none() {
    let no_endpoint = || process(Runtime::Node).with("LUMIGO_TRACER_TOKEN=t_1").with("LUMIGO_ENDPOINT=/v1/traces/");
    no_endpoint().start().lacks("OTEL_EXPORTER_OTLP_ENDPOINT").lacks("OTEL_EXPORTER_OTLP_HEADERS");
    no_endpoint()
        .with("EPIPHYTE_ENDPOINT=http://10.0.0.1:4318")
        .start()
        .sees("OTEL_EXPORTER_OTLP_ENDPOINT", "http://10.0.0.1:4318");
}

#[test]
fn logs_with_a_place_of_their_own_are_sent_there() {
    process(Runtime::Python)
        .with("LUMIGO_ENDPOINT=http://traces:4318/v1/traces")
        .with("LUMIGO_LOGS_ENDPOINT=http://logs:4318/v1/logs")
        .start()
        .sees("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:4318/v1/logs");
}

#[test]
fn a_token_never_travels_to_a_receiver_of_the_users_own() {
    for rival in
        ["OTEL_EXPORTER_OTLP_ENDPOINT=http://mine:4317", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://proxy:43180"]
    {
        process(Runtime::Java)
            .with("LUMIGO_TRACER_TOKEN=t_123")
            .with("LUMIGO_ENDPOINT=http://proxy:4318/v1/traces")
            .with(rival)
            .start()
            .sees(rival.split_once('=').unwrap().0, rival.split_once('=').unwrap().1)
            .lacks("OTEL_EXPORTER_OTLP_HEADERS")
            .lacks("OTEL_EXPORTER_OTLP_PROTOCOL");
    }
}

#[test]
fn signals_are_switched_off_unless_the_user_chose_an_exporter() {
    process(Runtime::Node)
        .with("LUMIGO_ENABLE_TRACES=False")
        .with("LUMIGO_ENABLE_LOGS=false")
        .with("OTEL_LOGS_EXPORTER=console")
        .with("OTEL_METRICS_EXPORTER=otlp")
        .start()
        .sees("OTEL_TRACES_EXPORTER", "none")
        .sees("OTEL_LOGS_EXPORTER", "console")
        .sees("OTEL_METRICS_EXPORTER", "otlp");
    process(Runtime::Node)
        .with("LUMIGO_ENABLE_TRACES=true")
        .start()
        .lacks("OTEL_TRACES_EXPORTER")
        .lacks("OTEL_LOGS_EXPORTER");
}

#[test]
fn the_node_agents_word_counts_before_any_guess() {
    process(Runtime::Java)
        .identity(
            "service.name=till\nk8s.pod.name=checkout-1\nk8s.container.name=app\nk8s.statefulset.name=check out\n",
        )
        .with("LUMIGO_CONTAINER_NAME=other")
        .start()
        .sees("OTEL_SERVICE_NAME", "till")
        .sees(
            "OTEL_RESOURCE_ATTRIBUTES",
            "k8s.pod.name=checkout-1,k8s.container.name=app,k8s.statefulset.name=check%20out,k8s.namespace.name=shop",
        );
}

#[test]
fn without_the_node_agents_word_the_pods_name_tells() {
    process(Runtime::Java).with("LUMIGO_CONTAINER_NAME=app").start().sees("OTEL_SERVICE_NAME", "checkout").sees(
        "OTEL_RESOURCE_ATTRIBUTES",
        "k8s.container.name=app,k8s.namespace.name=shop,k8s.pod.name=checkout-5d9c7bfd4-x2x4z,\
         k8s.deployment.name=checkout,k8s.replicaset.name=checkout-5d9c7bfd4",
    );
    process(Runtime::Java).host("backup-28471230-x2x4z").start().sees("OTEL_SERVICE_NAME", "backup").sees(
        "OTEL_RESOURCE_ATTRIBUTES",
        "k8s.namespace.name=shop,k8s.pod.name=backup-28471230-x2x4z,k8s.cronjob.name=backup,k8s.job.name=backup-28471230",
    );
}

#[test]
fn on_the_nodes_network_the_container_gives_its_name() {
    let started = process(Runtime::Java).host("").with("LUMIGO_CONTAINER_NAME=app").start();
    started
        .sees("OTEL_SERVICE_NAME", "app")
        .sees("OTEL_RESOURCE_ATTRIBUTES", "k8s.container.name=app,k8s.namespace.name=shop");
}

#[test]
fn a_host_that_may_be_no_pod_gives_the_service_its_name_only() {
    let mut process = process(Runtime::Java);
    process.hosts = "127.0.0.1 localhost";
    process.start().sees("OTEL_SERVICE_NAME", "checkout").sees("OTEL_RESOURCE_ATTRIBUTES", "k8s.namespace.name=shop");
}

#[test]
fn the_users_attributes_and_service_name_win() {
    process(Runtime::Java)
        .with("OTEL_RESOURCE_ATTRIBUTES=team=a%20b, k8s.pod.name=mine,")
        .with("OTEL_SERVICE_NAME=mine")
        .identity("service.name=till\nk8s.pod.name=checkout-1\nk8s.node.name=n")
        .start()
        .sees("OTEL_SERVICE_NAME", "mine")
        .sees("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b, k8s.pod.name=mine,k8s.node.name=n,k8s.namespace.name=shop");
    process(Runtime::Java).with("OTEL_RESOURCE_ATTRIBUTES=service.name=mine").start().lacks("OTEL_SERVICE_NAME");
}

#[test]
fn what_does_not_fit_is_not_written_at_all() {
    let variables = Variables::default();
    let facts = Facts {
        runtime: Runtime::Java,
        root: ROOT.as_bytes(),
        variables: &variables,
        identity: Identity::default(),
        host: Host::Unknown,
        namespace: b"",
    };
    assert!((0..80).all(|size| merge(&facts, &mut vec![0; size]).is_none()));
    assert!(merge(&facts, &mut [0; 256]).is_some());
}

fn any_runtime() -> impl Strategy<Value = Runtime> {
    prop_oneof![Just(Runtime::Java), Just(Runtime::Node), Just(Runtime::Python)]
}

/// Values as users write them, with ours and near misses of ours among them.
fn any_value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        Just(JAVA.to_string()),
        Just(NODE.to_string()),
        Just(PYTHON.to_string()),
        Just("http://proxy:4318/v1/traces".to_string()),
        Just("service.name=x".to_string()),
        Just("k8s.pod.name=y,".to_string()),
        Just("false".to_string()),
    ];
    (piece.clone(), "[ :,=]?", piece).prop_map(|(first, between, last)| format!("{first}{between}{last}"))
}

fn any_environment() -> impl Strategy<Value = Vec<String>> {
    let names = crate::variables::Variable::ALL.iter().map(|variable| variable.name()).collect::<Vec<_>>();
    proptest::collection::btree_map(proptest::sample::select(names), any_value(), 0..12)
        .prop_map(|entries| entries.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

proptest! {
    #[test]
    fn a_child_of_the_same_kind_changes_nothing(
        runtime in any_runtime(), environment in any_environment(), identity in "([a-z.]{1,8}=[ -~\n]{0,12}\n){0,4}",
        host in "[a-z0-9-]{0,20}",
    ) {
        let mut first = process(runtime).identity(&identity).host(&host);
        first.environment = environment;
        let first = first.start();
        let seen = first.environment.clone();
        prop_assert_eq!(first.start().environment, seen);
    }

    #[test]
    fn a_child_of_another_kind_adds_its_own_variable_only(
        parent in any_runtime(), child in any_runtime(), environment in any_environment(),
    ) {
        let mut process = process(parent);
        process.environment = environment;
        let mut process = process.start();
        let seen = process.environment.clone();
        process.runtime = child;
        let added = process.start().environment;
        let own = |entry: &&String| ["JAVA_TOOL_OPTIONS=", "NODE_OPTIONS=", "PYTHONPATH="].iter().any(|name| entry.starts_with(name));
        let before: Vec<_> = seen.iter().filter(|entry| !own(entry)).collect();
        let after: Vec<_> = added.iter().filter(|entry| !own(entry)).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn no_value_of_the_users_is_lost(runtime in any_runtime(), environment in any_environment()) {
        let mut process = process(runtime);
        process.environment = environment.clone();
        let process = process.start();
        for entry in &environment {
            let (name, value) = entry.split_once('=').unwrap();
            let seen = process.get(name).unwrap();
            prop_assert!(seen.contains(value), "{} became {}", entry, seen);
        }
    }
}
