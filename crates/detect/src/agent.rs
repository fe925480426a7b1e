//! Other vendors' agents: who else instruments a process.
//!
//! What is taken for proof is an option that loads an agent, a library that is mapped or preloaded, and a variable that only
//! an agent reads. An agent's variable that switches it off proves nothing, and neither do variables that a program's own SDK
//! reads as well (`OTEL_*`, `DD_SERVICE`).

use std::fmt;

use crate::command::{arguments, variables};
use crate::ours::names_ours;

/// Who made an agent, as it is spelled in `otherAgent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherAgent {
    /// Datadog's tracers and its injector.
    Datadog,
    /// New Relic.
    NewRelic,
    /// Dynatrace OneAgent.
    Dynatrace,
    /// AppDynamics.
    AppDynamics,
    /// Elastic APM.
    Elastic,
    /// Instana.
    Instana,
    /// Splunk and SignalFx.
    Splunk,
    /// Apache SkyWalking.
    SkyWalking,
    /// Pinpoint.
    Pinpoint,
    /// Azure Application Insights.
    ApplicationInsights,
    /// An OpenTelemetry agent that is not ours.
    OpenTelemetry,
    /// A .NET profiler of somebody unknown: the runtime takes only one.
    DotNetProfiler,
}

impl OtherAgent {
    /// The word used in `spec.languages[].otherAgent`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datadog => "datadog",
            Self::NewRelic => "newrelic",
            Self::Dynatrace => "dynatrace",
            Self::AppDynamics => "appdynamics",
            Self::Elastic => "elastic",
            Self::Instana => "instana",
            Self::Splunk => "splunk",
            Self::SkyWalking => "skywalking",
            Self::Pinpoint => "pinpoint",
            Self::ApplicationInsights => "applicationinsights",
            Self::OpenTelemetry => "opentelemetry",
            Self::DotNetProfiler => "dotnet-profiler",
        }
    }
}

impl fmt::Display for OtherAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the name of a file or folder of an agent begins with, in lower case: sorted, and none the beginning of another, so
/// that a name is looked up and not compared with each.
const FILES: [(&str, OtherAgent); 43] = [
    ("@datadog", OtherAgent::Datadog),
    ("appdynamics", OtherAgent::AppDynamics),
    ("applicationinsights-agent", OtherAgent::ApplicationInsights),
    ("appserveragent", OtherAgent::AppDynamics),
    ("auto-instrumentations-node", OtherAgent::OpenTelemetry),
    ("auto_instrumentation", OtherAgent::OpenTelemetry),
    ("autoinstrumentation.js", OtherAgent::OpenTelemetry),
    ("aws-opentelemetry-agent", OtherAgent::OpenTelemetry),
    ("datadog-apm", OtherAgent::Datadog),
    ("datadog-lib", OtherAgent::Datadog),
    ("datadog-packages", OtherAgent::Datadog),
    ("datadog.trace", OtherAgent::Datadog),
    ("dd-java-agent", OtherAgent::Datadog),
    ("dd-trace", OtherAgent::Datadog),
    ("ddtrace", OtherAgent::Datadog),
    ("dynatrace", OtherAgent::Dynatrace),
    ("elastic-apm", OtherAgent::Elastic),
    ("elastic-otel-javaagent", OtherAgent::Elastic),
    ("elasticapm", OtherAgent::Elastic),
    ("grafana-opentelemetry-java", OtherAgent::OpenTelemetry),
    ("instana", OtherAgent::Instana),
    ("libappdprofiler", OtherAgent::AppDynamics),
    ("libelastic_apm_profiler", OtherAgent::Elastic),
    ("libinstana", OtherAgent::Instana),
    ("libnewrelicprofiler", OtherAgent::NewRelic),
    ("liboneagent", OtherAgent::Dynatrace),
    ("libotelinject", OtherAgent::OpenTelemetry),
    ("newrelic", OtherAgent::NewRelic),
    ("oneagent", OtherAgent::Dynatrace),
    ("opentelemetry-injector", OtherAgent::OpenTelemetry),
    ("opentelemetry-javaagent", OtherAgent::OpenTelemetry),
    ("opentelemetry.autoinstrumentation", OtherAgent::OpenTelemetry),
    ("otel-auto-instrumentation", OtherAgent::OpenTelemetry),
    ("pinpoint-bootstrap", OtherAgent::Pinpoint),
    ("signalfx-dotnet", OtherAgent::Splunk),
    ("signalfx-tracing", OtherAgent::Splunk),
    ("skywalking-agent", OtherAgent::SkyWalking),
    ("splunk-otel", OtherAgent::Splunk),
    ("{36032161-ffc0-4b61-b559-f6c5d41bae5a}", OtherAgent::NewRelic),
    ("{846f5f1c-f9ae-4b07-969e-05c26bc060d8}", OtherAgent::Datadog),
    ("{918728dd-259f-4a6a-ac2b-b85e1b658318}", OtherAgent::OpenTelemetry),
    ("{b4c89b0f-9908-4f73-9f59-0d77c5a06874}", OtherAgent::Splunk),
    ("{fa65fe15-f085-4681-9b20-95e04f6c03cc}", OtherAgent::Elastic),
];

/// What the names of variables begin with that only an agent reads.
const VARIABLES: [(&str, OtherAgent); 15] = [
    ("DD_TRACE_", OtherAgent::Datadog),
    ("DD_INJECT", OtherAgent::Datadog),
    ("DD_APPSEC_", OtherAgent::Datadog),
    ("DD_PROFILING_", OtherAgent::Datadog),
    ("DD_DOTNET_TRACER_HOME", OtherAgent::Datadog),
    ("NEW_RELIC_", OtherAgent::NewRelic),
    ("DT_TENANT", OtherAgent::Dynatrace),
    ("DT_CONNECTION_POINT", OtherAgent::Dynatrace),
    ("APPDYNAMICS_", OtherAgent::AppDynamics),
    ("ELASTIC_APM_", OtherAgent::Elastic),
    ("INSTANA_", OtherAgent::Instana),
    ("SIGNALFX_", OtherAgent::Splunk),
    ("SPLUNK_PROFILER_", OtherAgent::Splunk),
    ("SW_AGENT_", OtherAgent::SkyWalking),
    ("APPLICATIONINSIGHTS_", OtherAgent::ApplicationInsights),
];

/// Variables by which runtimes are told what to load.
const LOADS: [&str; 14] = [
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "CORECLR_PROFILER_PATH_64",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_STARTUP_HOOKS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LD_AUDIT",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "RUBYLIB",
    "RUBYOPT",
    "_JAVA_OPTIONS",
];

/// Options whose next argument is a module to load.
const OPTIONS: [&str; 4] = ["--import", "--require", "-m", "-r"];

/// The agent whose file or folder a text names: a list of options, a list of paths, or a path.
pub(crate) fn by_files(text: &str) -> Option<OtherAgent> {
    let entries = text.split(|it: char| it.is_ascii_whitespace() || matches!(it, ';' | ','));
    entries.flat_map(paths).find_map(by_path)
}

/// The same of one path, before which an option such as `-javaagent:` may stand.
pub(crate) fn by_path(path: &str) -> Option<OtherAgent> {
    // npm's packages may have the vendor before the slash: @newrelic/native-metrics.
    let by_part = |part: &str| by_name(part).or_else(|| by_name(part.strip_prefix('@')?));
    path.split(['/', ':', '=']).find_map(by_part).filter(|_| !names_ours(path))
}

fn by_name(name: &str) -> Option<OtherAgent> {
    let lower = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    let after = FILES.partition_point(|(begin, _)| begin.bytes().le(lower()));
    let (begin, agent) = FILES.get(after.checked_sub(1)?)?;
    begin.bytes().eq(lower().take(begin.len())).then_some(*agent)
}

/// The paths of a list with colons; an option such as `-javaagent:<path>` is one entry.
fn paths(entry: &str) -> impl Iterator<Item = &str> {
    let option = entry.starts_with('-');
    let whole = option.then_some(entry);
    whole.into_iter().chain((!option).then(|| entry.split(':')).into_iter().flatten())
}

/// The agent that a process' `cmdline` loads.
pub fn by_arguments(cmdline: &[u8]) -> Option<OtherAgent> {
    let mut loads = false;
    arguments(cmdline).skip(1).filter_map(|argument| std::str::from_utf8(argument).ok()).find_map(|argument| {
        let looked_at = std::mem::replace(&mut loads, OPTIONS.contains(&argument)) || argument.starts_with('-');
        looked_at.then(|| by_files(argument))?
    })
}

/// The agent that a process' `environ` loads or configures.
pub fn by_environment(environ: &[u8]) -> Option<OtherAgent> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let loaded = variables(environ).filter(|(name, _)| LOADS.contains(name));
    if let Some(agent) = loaded.into_iter().find_map(|(_, value)| by_files(&text(value))) {
        return Some(agent);
    }
    let configured = variables(environ).filter(|(_, value)| !is_off(value));
    let mut named = configured.filter_map(|(name, _)| VARIABLES.iter().find(|(prefix, _)| name.starts_with(prefix)));
    named.next().map(|(_, agent)| *agent).or_else(|| profiler(environ))
}

/// A .NET profiler that is switched on and is not ours.
fn profiler(environ: &[u8]) -> Option<OtherAgent> {
    let value = |wanted| variables(environ).find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let ours = value("CORECLR_PROFILER_PATH").is_some_and(|path| names_ours(&String::from_utf8_lossy(path)));
    (value("CORECLR_ENABLE_PROFILING") == Some(b"1") && !ours).then_some(OtherAgent::DotNetProfiler)
}

fn is_off(value: &[u8]) -> bool {
    value.is_empty() || value == b"0" || value.eq_ignore_ascii_case(b"false")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FILES, OtherAgent, by_arguments, by_environment, by_files};

    #[test]
    fn names_of_files_can_be_looked_up() {
        assert!(FILES.iter().all(|(name, _)| *name == name.to_ascii_lowercase()));
        for ((name, _), (next, _)) in FILES.iter().zip(FILES.iter().skip(1)) {
            assert!(name < next && !next.starts_with(name), "{name} {next}");
        }
    }

    #[test]
    fn an_agent_is_known_by_what_loads_it() {
        for (environ, agent) in [
            ("JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:/dd/dd-java-agent.jar=x", OtherAgent::Datadog),
            ("JAVA_TOOL_OPTIONS=-javaagent:/newrelic/newrelic.jar", OtherAgent::NewRelic),
            ("JAVA_TOOL_OPTIONS=-javaagent:/a/opentelemetry-javaagent-2.1.jar", OtherAgent::OpenTelemetry),
            ("NODE_OPTIONS=--require /app/node_modules/dd-trace/init", OtherAgent::Datadog),
            ("NODE_OPTIONS=--require=@opentelemetry/auto-instrumentations-node/register", OtherAgent::OpenTelemetry),
            ("NODE_OPTIONS=--require elastic-apm-node/start.js", OtherAgent::Elastic),
            ("PYTHONPATH=/app:/usr/lib/python3/site-packages/ddtrace/bootstrap", OtherAgent::Datadog),
            ("PYTHONPATH=/otel-auto-instrumentation-python/opentelemetry:/app", OtherAgent::OpenTelemetry),
            ("LD_PRELOAD=/opt/dynatrace/oneagent/agent/lib64/liboneagentproc.so", OtherAgent::Dynatrace),
            ("LD_PRELOAD=/lib/x.so:/opt/datadog-packages/inject/launcher.preload.so", OtherAgent::Datadog),
            ("CORECLR_PROFILER={36032161-FFC0-4B61-B559-F6C5D41BAE5A}", OtherAgent::NewRelic),
            ("APPDYNAMICS_AGENT_APPLICATION_NAME=shop", OtherAgent::AppDynamics),
            ("DD_TRACE_AGENT_URL=http://10.0.0.1:8126", OtherAgent::Datadog),
            ("INSTANA_AGENT_HOST=10.0.0.1", OtherAgent::Instana),
            ("SIGNALFX_ENDPOINT_URL=http://x", OtherAgent::Splunk),
            ("CORECLR_ENABLE_PROFILING=1", OtherAgent::DotNetProfiler),
        ] {
            assert_eq!(by_environment(format!("PATH=/bin\0{environ}\0").as_bytes()), Some(agent), "{environ}");
        }
        assert_eq!(
            by_arguments(b"java\0-javaagent:/x/elastic-apm-agent.jar\0-jar\0a.jar\0"),
            Some(OtherAgent::Elastic)
        );
        assert_eq!(by_arguments(b"node\0-r\0newrelic\0server.js\0"), Some(OtherAgent::NewRelic));
        assert_eq!(by_files("/app/node_modules/@instana/core/a.node"), Some(OtherAgent::Instana));
        assert_eq!(by_files("/app/node_modules/@datadog/native-metrics/a.node"), Some(OtherAgent::Datadog));
        assert_eq!(by_files("/opt/instana/libinstana_init.so"), Some(OtherAgent::Instana));
    }

    #[test]
    fn what_loads_no_agent_proves_nothing() {
        for environ in [
            "OTEL_SERVICE_NAME=shop",
            "DD_SERVICE=shop",
            "DD_TRACE_ENABLED=false",
            "NEW_RELIC_LICENSE_KEY=",
            "JAVA_TOOL_OPTIONS=-javaagent:/jmx/jmx_prometheus_javaagent.jar=8080",
            "NODE_OPTIONS=--max-old-space-size=256",
            "CORECLR_ENABLE_PROFILING=0",
            "NOTE=-javaagent:/newrelic/newrelic.jar",
        ] {
            assert_eq!(by_environment(format!("{environ}\0").as_bytes()), None, "{environ}");
        }
        assert_eq!(by_arguments(b"java\0-jar\0shop.jar\0--docs=x\0newrelic\0"), None);
        assert_eq!(by_arguments(b"newrelic\0"), None);
    }

    #[test]
    fn what_is_ours_is_never_anothers() {
        for environ in [
            "JAVA_TOOL_OPTIONS=-javaagent:/var/odigos/java/opentelemetry-javaagent.jar",
            "JAVA_TOOL_OPTIONS=-javaagent:/opt/lumigo/java/opentelemetry-javaagent.jar",
            "NODE_OPTIONS=--require /var/odigos/nodejs/autoinstrumentation.js",
            "PYTHONPATH=/var/odigos/python/opentelemetry/instrumentation/auto_instrumentation:/var/odigos/python",
            "LD_PRELOAD=/var/odigos/injector/injector.so",
            "CORECLR_ENABLE_PROFILING=1\0CORECLR_PROFILER_PATH=/var/odigos/dotnet/p.so",
        ] {
            assert_eq!(by_environment(format!("{environ}\0").as_bytes()), None, "{environ}");
        }
        let both = "PYTHONPATH=/var/odigos/python:/usr/lib/ddtrace/bootstrap\0";
        assert_eq!(by_environment(both.as_bytes()), Some(OtherAgent::Datadog));
        let both = "JAVA_TOOL_OPTIONS=-javaagent:/var/odigos/java/a.jar -javaagent:/n/newrelic.jar\0";
        assert_eq!(by_environment(both.as_bytes()), Some(OtherAgent::NewRelic));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text: String) {
            by_environment(&[b"LD_PRELOAD=".as_slice(), &bytes, b"\0"].concat());
            by_arguments(&bytes);
            by_files(&text);
        }
    }
}
