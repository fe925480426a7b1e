//! Where containers send their telemetry.

use epiphyte_injector_core::Variable;

/// URLs (OTLP over HTTP). Where one is missing the other stands in for it.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For what goes under a Lumigo token.
    pub lumigo: Option<String>,
    /// For what has no token.
    pub tokenless: Option<String>,
}

impl Endpoints {
    /// The variables by which containers are told.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [(Variable::Endpoint, &self.lumigo), (Variable::DefaultEndpoint, &self.tokenless)]
            .into_iter()
            .filter_map(|(variable, url)| Some((variable.name(), url.as_deref()?)))
    }
}
