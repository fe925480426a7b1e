//! Well-known names: annotations, labels, paths, variables and the like.
//!
//! Names under `odigos.io` and `lumigo` come from the two designs that Epiphyte implements and must not change; names of
//! our own stand under `epiphyte.dev/`.

/// Annotation on a workload or a Namespace that turns device instrumentation on (`true`) or off (`false`).
pub const INSTRUMENT_ANNOTATION: &str = "odigos.io/instrument";

/// Annotation on a workload that overrides how the agent is delivered: `device` or `injector`.
pub const DELIVERY_ANNOTATION: &str = "epiphyte.dev/delivery";

/// Label on a workload that turns the injector on (`true`) or off (`false`); on workload and pod template it carries the
/// version that injected, see [`auto_trace_version`].
pub const AUTO_TRACE_LABEL: &str = "lumigo.auto-trace";

/// Label beside [`AUTO_TRACE_LABEL`] that keeps traces from being sent (`false`), where the namespace has no Lumigo.
pub const ENABLE_TRACES_LABEL: &str = "lumigo.enable-traces";

/// Label beside [`AUTO_TRACE_LABEL`] that has logs sent too (`true`), where the namespace has no Lumigo.
pub const ENABLE_LOGS_LABEL: &str = "lumigo.enable-logs";

/// Label beside [`AUTO_TRACE_LABEL`] with the name of the Secret that holds the token, where the namespace has no Lumigo.
pub const TOKEN_SECRET_LABEL: &str = "lumigo.token-secret";

/// Label beside [`AUTO_TRACE_LABEL`] with the key of the token in its Secret, where the namespace has no Lumigo.
pub const TOKEN_KEY_LABEL: &str = "lumigo.token-key";

/// The Secret that holds the token where nobody names another.
pub const DEFAULT_TOKEN_SECRET: &str = "lumigo-credentials";

/// The key of the token in its Secret where nobody names another.
pub const DEFAULT_TOKEN_KEY: &str = "token";

/// What the value of [`AUTO_TRACE_LABEL`] begins with where Epiphyte wrote it.
pub const AUTO_TRACE_VERSION_PREFIX: &str = "lumigo-operator.v";

/// Label on an `InstrumentedApplication` whose answer is awaited; see [`DETECT_PENDING`].
pub const DETECT_LABEL: &str = "epiphyte.dev/detect";

/// The value of [`DETECT_LABEL`] that node agents select by.
pub const DETECT_PENDING: &str = "pending";

/// Prefix of every extended resource that the node agent serves, and that removal goes by.
pub const DEVICE_PREFIX: &str = "instrumentation.odigos.io/";

/// Finalizer on `Lumigo` objects.
pub const LUMIGO_FINALIZER: &str = "operator.lumigo.io/lumigo-finalizer";

/// Name of the volume and of the init container that the injector delivery adds.
pub const INJECTOR_NAME: &str = "lumigo-injector";

/// Where the agents are mounted in an application container by the injector delivery.
pub const INJECTOR_MOUNT_PATH: &str = "/opt/lumigo";

/// Where the init container of the injector delivery finds the volume that it fills.
pub const INJECTOR_TARGET_PATH: &str = "/target";

/// The preload library of the injector delivery, as seen by the application.
pub const INJECTOR_PRELOAD: &str = "/opt/lumigo/injector/lumigo_injector.so";

/// Where the node agent's device plugin mounts the agents in an application container.
pub const DEVICE_MOUNT_PATH: &str = "/var/odigos";

/// The preload library of the device delivery, as seen by the application. The device plugin mounts it and sets
/// `LD_PRELOAD`; a literal of the manifest wins over that, so there the path is chained in the template.
pub const DEVICE_PRELOAD: &str = "/var/odigos/injector/injector.so";

/// Where the folder with a container's identity is mounted by the device delivery.
pub const IDENTITY_MOUNT_PATH: &str = "/var/epiphyte";

/// The file in which the injector reads who its container is, as seen by the application.
pub const IDENTITY_FILE: &str = "/var/epiphyte/identity";

/// The dynamic linker's list of libraries to load first.
pub const LD_PRELOAD: &str = "LD_PRELOAD";
/// Token of the tenant, by reference to a Secret.
pub const TRACER_TOKEN: &str = "LUMIGO_TRACER_TOKEN";
/// URL that traces are sent to.
pub const ENDPOINT: &str = "LUMIGO_ENDPOINT";
/// URL that logs are sent to.
pub const LOGS_ENDPOINT: &str = "LUMIGO_LOGS_ENDPOINT";
/// Whether traces are sent.
pub const ENABLE_TRACES: &str = "LUMIGO_ENABLE_TRACES";
/// Whether logs are sent.
pub const ENABLE_LOGS: &str = "LUMIGO_ENABLE_LOGS";
/// Name of the container that the process runs in.
pub const CONTAINER_NAME: &str = "LUMIGO_CONTAINER_NAME";

/// Variables that the injector delivery adds to a container besides [`LD_PRELOAD`], in the order of their adding.
pub const INJECTOR_VARIABLES: [&str; 6] =
    [TRACER_TOKEN, ENDPOINT, LOGS_ENDPOINT, ENABLE_TRACES, ENABLE_LOGS, CONTAINER_NAME];

/// Namespaces that are never instrumented, whatever the marks.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Values of the node label `kubernetes.io/arch` that the agents serve.
pub const SERVED_ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// ConfigMap in the system namespace that is there while Epiphyte is being uninstalled.
pub const UNINSTALLING_CONFIG_MAP: &str = "epiphyte-uninstalling";

/// Annotation on [`UNINSTALLING_CONFIG_MAP`] that says how far uninstalling is; see [`UNINSTALLED`].
pub const PHASE_ANNOTATION: &str = "epiphyte.dev/phase";

/// The value of [`PHASE_ANNOTATION`] once everything is off and only what was installed is left to remove: operators stop
/// working for good.
pub const UNINSTALLED: &str = "uninstalled";

/// What a node agent writes under its node's name into [`UNINSTALLING_CONFIG_MAP`] when nothing of it is left on the host.
pub const HOST_IS_CLEAN: &str = "clean";

/// Label that an updater puts on Helm's record of a revision that it made: the revision, the chart's digest, and the run. Helm
/// carries the labels of a revision on to the next, hence the number in it.
pub const UPDATE_LABEL: &str = "epiphyte.dev/updater";

/// Annotation on the updater's CronJob with what the last run came to, as JSON.
pub const UPDATE_OUTCOME_ANNOTATION: &str = "epiphyte.dev/updater-outcome";

/// Label on every object that an installation consists of; see [`PART_OF`].
pub const PART_OF_LABEL: &str = "app.kubernetes.io/part-of";

/// The value of [`PART_OF_LABEL`].
pub const PART_OF: &str = "epiphyte";

/// Label that says who keeps an object; see [`PART_OF`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The operator's Deployment.
pub const OPERATOR: &str = "epiphyte-operator";

/// The value of the label `app.kubernetes.io/name` on pods of the node agent.
pub const NODE_AGENT: &str = "epiphyte-node-agent";

/// The Service in front of the telemetry proxy's OTLP receivers, and the `CollectorsGroup` that says whether they take
/// telemetry.
pub const TELEMETRY_PROXY: &str = "epiphyte-telemetry-proxy";

/// The port of [`TELEMETRY_PROXY`] on which each address says of itself whether it takes telemetry.
pub const HEALTH_PORT: &str = "health";

/// Secret in the system namespace with the webhook's authority and serving certificate.
pub const WEBHOOK_SECRET: &str = "epiphyte-webhook-certificate";

/// File by which the operator tells the telemetry proxy beside it which namespaces to monitor (Lumigo operator).
pub const NAMESPACES_FILE: &str = "/lumigo/etc/namespaces/namespaces_to_monitor.json";

/// Environment variable that names another place for that file (Lumigo operator).
pub const NAMESPACES_FILE_VARIABLE: &str = "LUMIGO_NAMESPACE_CONFIGURATIONS";

/// File with the tokens that are admitted, beside the one with the namespaces.
pub const TOKENS_FILE: &str = "tokens.json";

/// Lease in the system namespace that the writing replica holds.
pub const LEASE: &str = "epiphyte-operator";

/// Field manager of all our writes.
pub const FIELD_MANAGER: &str = "epiphyte";

/// The value of [`AUTO_TRACE_LABEL`] for a version of Epiphyte. Versions longer than eight characters are cut to seven,
/// as the Lumigo operator does, so that the value stays a valid label.
pub fn auto_trace_version(version: &str) -> String {
    let shown: String =
        if version.chars().count() > 8 { version.chars().take(7).collect() } else { version.to_owned() };
    format!("{AUTO_TRACE_VERSION_PREFIX}{}", shown.trim_end_matches(['.', '-', '_']))
}

#[cfg(test)]
mod tests {
    use super::auto_trace_version;

    #[test]
    fn a_long_version_is_cut_to_a_valid_label_value() {
        assert_eq!(auto_trace_version("0.1.0"), "lumigo-operator.v0.1.0");
        assert_eq!(auto_trace_version("0123456789abcdef"), "lumigo-operator.v0123456");
        assert_eq!(auto_trace_version("10.20.-rc1"), "lumigo-operator.v10.20");
    }
}
