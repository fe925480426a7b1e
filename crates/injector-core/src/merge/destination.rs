//! Where telemetry goes, and which of it.

use super::Editor;
use crate::variables::{Variable, Variables};

/// The paths that a signal is sent to below a base.
const TRACES: &[u8] = b"/v1/traces";
const LOGS: &[u8] = b"/v1/logs";

pub(super) fn direct(editor: &mut Editor<'_, '_>) -> Option<()> {
    let variables = editor.variables;
    if variables.is(Variable::EnableTraces, "false") {
        editor.supply(Variable::TracesExporter, &[b"none"])?;
    }
    if variables.is(Variable::EnableLogs, "false") {
        editor.supply(Variable::LogsExporter, &[b"none"])?;
    }
    // Nobody at the other end asks for metrics, and agents would send them unasked.
    editor.supply(Variable::MetricsExporter, &[b"none"])?;

    let ours = Ours::of(variables);
    if ours.has_rival(variables) {
        return Some(());
    }
    editor.supply(Variable::OtlpProtocol, &[b"http/protobuf"])?;
    if let Some(base) = ours.base {
        editor.supply(Variable::OtlpEndpoint, &[base])?;
        if let Some(token) = ours.token
            && editor.given(Variable::OtlpHeaders).is_none()
        {
            editor.write(Variable::OtlpHeaders, |text| {
                text.push(b"Authorization=LumigoToken%20")?;
                text.push_encoded(token)
            })?;
        }
    }
    if let Some(logs) = ours.logs_base {
        editor.supply(Variable::OtlpLogsEndpoint, &[logs, LOGS])?;
    }
    Some(())
}

/// The destination that the delivery gives.
struct Ours<'f> {
    /// What paths like `/v1/traces` are added to.
    base: Option<&'f [u8]>,
    /// The same for logs, where it is another.
    logs_base: Option<&'f [u8]>,
    token: Option<&'f [u8]>,
}

impl<'f> Ours<'f> {
    fn of(variables: &Variables<'f>) -> Self {
        let token = variables.get(Variable::Token).map(<[u8]>::trim_ascii).filter(|token| !token.is_empty());
        let given = |variable, path| variables.get(variable).and_then(|url| without_path(url, path));
        let lumigo = given(Variable::Endpoint, TRACES);
        let default = given(Variable::DefaultEndpoint, TRACES);
        let (base, logs) = match token {
            None if default.is_some() => (default, None),
            _ => (lumigo.or(default), given(Variable::LogsEndpoint, LOGS)),
        };
        let logs_base = logs.filter(|logs| Some(*logs) != base);
        Self { base, logs_base, token }
    }

    /// Whether the user sends anything elsewhere. Then everything about sending is the user's: the token must not reach a
    /// stranger, nor another protocol a receiver that we know nothing of.
    fn has_rival(&self, variables: &Variables<'_>) -> bool {
        let destinations = [
            Variable::OtlpEndpoint,
            Variable::OtlpTracesEndpoint,
            Variable::OtlpMetricsEndpoint,
            Variable::OtlpLogsEndpoint,
        ];
        let is_ours = |url: &[u8]| {
            let within = |base: &[u8]| url.strip_prefix(base).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
            [self.base, self.logs_base].into_iter().flatten().any(within)
        };
        destinations.into_iter().filter_map(|variable| variables.get(variable)).any(|url| !is_ours(url))
    }
}

/// A URL without the path of its signal; `None` where nothing else is there.
fn without_path<'u>(url: &'u [u8], path: &[u8]) -> Option<&'u [u8]> {
    let url = url.strip_suffix(b"/").unwrap_or(url);
    let url = url.strip_suffix(path).unwrap_or(url);
    let url = url.strip_suffix(b"/").unwrap_or(url);
    (!url.is_empty()).then_some(url)
}
