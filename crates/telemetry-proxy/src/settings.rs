//! The proxy's settings: a typed YAML file, read once at the start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use epiphyte_daemon::settings::{self, SettingsError};
use serde::Deserialize;

use crate::extra::Extra;

/// Settings of the telemetry proxy. Every key has a default; an unknown key is an error that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The cluster, as its telemetry names it.
    pub cluster: Cluster,
    /// Where the telemetry of tenants goes.
    pub endpoint: Endpoint,
    /// The listener for telemetry without a token; there is none unless it is set.
    pub tokenless: Option<Tokenless>,
    /// What waits for being sent.
    pub queue: Queue,
    /// Where is listened.
    pub listen: Listen,
    /// What is merged into the Collectors' configurations.
    pub extra: Extra,
}

/// The cluster, as its telemetry names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    /// The attribute `k8s.cluster.name`; not set if empty.
    pub name: String,
}

/// Where the telemetry of tenants goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Endpoint {
    /// By OTLP over HTTP.
    pub otlp: Otlp,
}

/// The URLs under which OTLP over HTTP is received upstream; `/v1/traces` and its like are added to each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    /// For whatever has no URL of its own.
    pub url: Url,
    /// For logs and Kubernetes Events.
    pub logs_url: Option<Url>,
    /// For metrics.
    pub metrics_url: Option<Url>,
}

impl Default for Otlp {
    fn default() -> Self {
        let url = Url("https://ga-otlp.lumigo-tracer-edge.golumigo.com".to_owned());
        Self { url, logs_url: None, metrics_url: None }
    }
}

/// The listener for telemetry without a token, and where that goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tokenless {
    /// Where OTLP over HTTP is received.
    pub url: Url,
    /// File with the value of the `Authorization` header to send along.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// Address for OTLP over gRPC.
    #[serde(default = "Tokenless::grpc")]
    pub grpc: SocketAddr,
    /// Address for OTLP over HTTP.
    #[serde(default = "Tokenless::http")]
    pub http: SocketAddr,
}

impl Tokenless {
    fn grpc() -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, 4327).into()
    }

    fn http() -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, 4328).into()
    }
}

/// What waits for being sent, on disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Queue {
    /// How much of each of traces, logs and metrics may wait, in MiB.
    pub size_mib: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { size_mib: 256 }
    }
}

/// Where is listened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Listen {
    /// For OTLP over gRPC.
    pub grpc: SocketAddr,
    /// For OTLP over HTTP.
    pub http: SocketAddr,
    /// The port on loopback for the metrics of the Collector *traffic*.
    pub traffic_metrics: u16,
    /// The port on loopback for the metrics of the Collector *events*.
    pub events_metrics: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            grpc: (Ipv4Addr::UNSPECIFIED, 4317).into(),
            http: (Ipv4Addr::UNSPECIFIED, 4318).into(),
            traffic_metrics: 8888,
            events_metrics: 8889,
        }
    }
}

/// The URL of a receiver of OTLP, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

impl Url {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Url {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let rest = rest.ok_or("a URL starts with http:// or https://")?;
        let host = rest.split('/').next().unwrap_or_default();
        // Credentials have no place in what is logged: they come from files.
        if host.is_empty() || host.contains('@') || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err("a URL has a host, no user, and no spaces");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl Settings {
    /// Reads the settings from a file.
    ///
    /// # Errors
    /// The file cannot be read, is no YAML, has an unknown key or a value that is none.
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        settings::from_file(path)
    }

    /// Reads the settings from YAML; an empty document is the defaults.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        settings::from_yaml(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(Settings::from_yaml(""), Ok(Settings::default()));
    }

    #[test]
    fn the_keys_of_the_endpoint_are_those_of_the_chart() {
        let yaml = "endpoint: {otlp: {url: https://a.example/, logs_url: https://b.example, metrics_url: http://c:1}}";
        let otlp = Settings::from_yaml(yaml).expect("valid").endpoint.otlp;
        assert_eq!(otlp.url.as_str(), "https://a.example");
        assert_eq!(otlp.logs_url.expect("a URL").as_str(), "https://b.example");
        assert_eq!(otlp.metrics_url.expect("a URL").as_str(), "http://c:1");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Settings::from_yaml("queue: {size: 5}").expect_err("the key is unknown");
        assert!(error.contains("size"), "{error}");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in ["ftp://a", "a.example", "https://", "https:///v1", "https://user:word@a", "'https://a b'"] {
            assert!(Settings::from_yaml(&format!("endpoint: {{otlp: {{url: {bad}}}}}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_listener_without_tokens_is_off_unless_it_has_a_destination() {
        assert_eq!(Settings::default().tokenless, None);
        let settings = Settings::from_yaml("tokenless: {url: http://collector:4318}").expect("valid");
        assert_eq!(settings.tokenless.map(|it| it.http.port()), Some(4328));
        assert!(Settings::from_yaml("tokenless: {grpc: 0.0.0.0:1}").is_err());
    }
}
