//! Pure: the environment of the program that instruments a Go process. By the same rules as the injector's, which cannot go
//! into a Go process itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use epiphyte_injector_core::{Facts, Host, Identity, Runtime, Variable, Variables, merge};

use crate::endpoints::Endpoints;

/// The variables that are handed on. Others of the process are not: the program runs with the node's rights, and some of
/// them name files.
const HANDED_ON: [Variable; 8] = [
    Variable::ServiceName,
    Variable::ResourceAttributes,
    Variable::OtlpEndpoint,
    Variable::OtlpTracesEndpoint,
    Variable::OtlpProtocol,
    Variable::OtlpHeaders,
    Variable::TracesExporter,
    Variable::MetricsExporter,
];

/// What may come of it at most, in bytes.
const LIMIT: usize = 64 * 1024;

/// The variables for the program, from the environment of the process, the text of its container's identity and where
/// telemetry is sent. As with what a device gives, the manifest's own word comes first.
pub(crate) fn variables(process: &[u8], identity: &str, endpoints: &Endpoints) -> Vec<(&'static str, OsString)> {
    let endpoints: Vec<String> = endpoints.variables().map(|(name, url)| format!("{name}={url}")).collect();
    let entries = process.split(|byte| *byte == 0).chain(endpoints.iter().map(String::as_bytes));
    let given = Variables::gather(entries);
    let facts = Facts {
        // Which it is makes no difference to the variables that are handed on.
        runtime: Runtime::Python,
        root: b"/",
        variables: &given,
        identity: Identity(identity.as_bytes()),
        host: Host::Unknown,
        namespace: b"",
    };
    let mut memory = vec![0; LIMIT];
    let mut changes = merge(&facts, &mut memory).unwrap_or_default();
    let value = |variable: Variable| {
        let entry = changes.take(variable).and_then(|entry| entry.strip_suffix(b"\0"));
        let changed = entry.and_then(|entry| entry.get(variable.name().len() + 1..));
        let value = changed.or_else(|| given.get(variable))?;
        Some((variable.name(), OsString::from_vec(value.to_vec())))
    };
    HANDED_ON.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::variables;
    use crate::endpoints::Endpoints;

    fn endpoints() -> Endpoints {
        let url = |port| Some(format!("http://collector:{port}"));
        Endpoints { lumigo: url(4318), tokenless: url(4328) }
    }

    fn value(variables: &[(&str, std::ffi::OsString)], name: &str) -> Option<String> {
        variables.iter().find(|(found, _)| *found == name).map(|(_, value)| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_go_process_is_introduced_and_sends_as_others_do() {
        let identity = "service.name=shop\nk8s.pod.name=shop-1\nk8s.namespace.name=market\n";
        let given = variables(b"PATH=/bin\0LUMIGO_TRACER_TOKEN=t_1\0", identity, &endpoints());
        assert_eq!(value(&given, "OTEL_SERVICE_NAME").as_deref(), Some("shop"));
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(), Some("http://collector:4318"));
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_HEADERS").as_deref(), Some("Authorization=LumigoToken%20t_1"));
        let attributes = value(&given, "OTEL_RESOURCE_ATTRIBUTES").unwrap();
        assert!(attributes.contains("k8s.pod.name=shop-1") && attributes.contains("k8s.namespace.name=market"));
    }

    #[test]
    fn without_a_token_a_go_process_sends_where_none_is_asked_for() {
        let given = variables(b"PATH=/bin\0", "service.name=shop\n", &endpoints());
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(), Some("http://collector:4328"));
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_HEADERS"), None);
        let given = variables(b"EPIPHYTE_ENDPOINT=http://mine:4318\0", "", &endpoints());
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(), Some("http://mine:4318"));
    }

    #[test]
    fn what_the_user_says_stays_and_what_names_files_is_not_handed_on() {
        let process = b"OTEL_SERVICE_NAME=mine\0OTEL_EXPORTER_OTLP_CLIENT_KEY=/etc/shadow\0\
            OTEL_GO_AUTO_TARGET_EXE=/sbin/init\0LUMIGO_TRACER_TOKEN=t_1\0OTEL_EXPORTER_OTLP_ENDPOINT=http://theirs:4318\0";
        let given = variables(process, "service.name=shop\n", &endpoints());
        assert_eq!(value(&given, "OTEL_SERVICE_NAME").as_deref(), Some("mine"));
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(), Some("http://theirs:4318"));
        assert_eq!(value(&given, "OTEL_EXPORTER_OTLP_HEADERS"), None);
        assert!(given.iter().all(|(name, _)| !name.contains("KEY") && !name.contains("TARGET")));
    }

    #[test]
    fn no_environment_makes_it_fail() {
        assert!(variables(b"", "", &Endpoints::default()).iter().all(|(name, _)| name.starts_with("OTEL_")));
        let nowhere = Endpoints { tokenless: Some(String::new()), ..Endpoints::default() };
        variables(&[0xff; 4096], "=\n=", &nowhere);
    }
}
