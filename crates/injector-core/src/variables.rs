//! The variables that the library reads and sets, found in one pass over the environment.

use crate::layout::split_first;

/// Spells out the enum, the list and the names from one table.
macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A variable that the library knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Variable {
            $($(#[$doc])* $variant,)*
        }

        impl Variable {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in the environment.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

variables! {
    /// Switches the library off, by the value `off`.
    Switch => "EPIPHYTE_INJECTOR",
    /// Lets the library talk on standard error, by the value `1`.
    Log => "EPIPHYTE_INJECTOR_LOG",
    /// Path of the identity file that the node agent left.
    IdentityFile => "EPIPHYTE_IDENTITY",
    /// URL for the telemetry of containers without a Lumigo token.
    DefaultEndpoint => "EPIPHYTE_ENDPOINT",
    /// Lumigo's token.
    Token => "LUMIGO_TRACER_TOKEN",
    /// URL that traces are sent to.
    Endpoint => "LUMIGO_ENDPOINT",
    /// URL that logs are sent to.
    LogsEndpoint => "LUMIGO_LOGS_ENDPOINT",
    /// Whether traces are sent.
    EnableTraces => "LUMIGO_ENABLE_TRACES",
    /// Whether logs are sent.
    EnableLogs => "LUMIGO_ENABLE_LOGS",
    /// Name of the container.
    ContainerName => "LUMIGO_CONTAINER_NAME",
    /// Options of every Java virtual machine.
    JavaToolOptions => "JAVA_TOOL_OPTIONS",
    /// Options of every Node.js process.
    NodeOptions => "NODE_OPTIONS",
    /// Folders that Python imports from first.
    PythonPath => "PYTHONPATH",
    /// Who the telemetry is from.
    ResourceAttributes => "OTEL_RESOURCE_ATTRIBUTES",
    /// The service that the telemetry is from.
    ServiceName => "OTEL_SERVICE_NAME",
    /// Base URL of the receiver.
    OtlpEndpoint => "OTEL_EXPORTER_OTLP_ENDPOINT",
    /// URL of the receiver of traces.
    OtlpTracesEndpoint => "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    /// URL of the receiver of metrics.
    OtlpMetricsEndpoint => "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    /// URL of the receiver of logs.
    OtlpLogsEndpoint => "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    /// How telemetry is sent.
    OtlpProtocol => "OTEL_EXPORTER_OTLP_PROTOCOL",
    /// Headers sent with telemetry.
    OtlpHeaders => "OTEL_EXPORTER_OTLP_HEADERS",
    /// Where traces go.
    TracesExporter => "OTEL_TRACES_EXPORTER",
    /// Where metrics go.
    MetricsExporter => "OTEL_METRICS_EXPORTER",
    /// Where logs go.
    LogsExporter => "OTEL_LOGS_EXPORTER",
}

impl Variable {
    /// The variable that an entry of the environment, `NAME=value`, is about.
    pub fn of(entry: &[u8]) -> Option<Self> {
        // Few variables of a process begin with one of these letters.
        if !matches!(entry, [b'E' | b'J' | b'L' | b'N' | b'O' | b'P', ..]) {
            return None;
        }
        let (name, _) = split_first(entry, b'=')?;
        Self::ALL.iter().copied().find(|variable| variable.name().as_bytes() == name)
    }
}

/// The values of the variables that the library knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variables<'e> {
    values: [Option<&'e [u8]>; Variable::COUNT],
}

impl<'e> Variables<'e> {
    /// Reads the entries of an environment. Where a name is there twice the first counts, as it does for `getenv`.
    pub fn gather(entries: impl IntoIterator<Item = &'e [u8]>) -> Self {
        let mut found = Self::default();
        for entry in entries {
            let place = Variable::of(entry).and_then(|variable| found.values.get_mut(variable as usize));
            if let (Some(place @ None), Some((_, value))) = (place, split_first(entry, b'=')) {
                *place = Some(value);
            }
        }
        found
    }

    /// The value of a variable. An empty one counts as none, as OpenTelemetry's specification has it.
    pub fn get(&self, variable: Variable) -> Option<&'e [u8]> {
        let value = *self.values.get(variable as usize)?;
        value.filter(|value| !value.is_empty())
    }

    /// Whether a variable has a value, in any case.
    pub fn is(&self, variable: Variable, value: &str) -> bool {
        self.get(variable).is_some_and(|given| given.eq_ignore_ascii_case(value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Variable, Variables};

    #[test]
    fn of_two_entries_with_one_name_the_first_counts() {
        let variables = Variables::gather([&b"NODE_OPTIONS=a=b"[..], b"NODE_OPTIONS=c", b"PATH=/bin"]);
        assert_eq!(variables.get(Variable::NodeOptions), Some(&b"a=b"[..]));
    }

    #[test]
    fn empty_and_broken_entries_count_as_none() {
        let variables = Variables::gather([&b"NODE_OPTIONS="[..], b"PYTHONPATH", b"", b"=", b"OTEL_SERVICE_NAMES=x"]);
        assert!(Variable::ALL.iter().all(|variable| variables.get(*variable).is_none()));
    }
}
