//! Where the API server finds the webhook.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{ServiceReference, WebhookClientConfig};

use super::server::PATH;

/// Where the API server finds the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Behind a Service in the cluster. Its webhook configuration is the chart's.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
    },
    /// Outside the cluster. The webhook configuration is ours.
    Url(WebhookUrl),
}

impl Target {
    /// The host names and addresses that the serving certificate has to be good for.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Service { namespace, name } => {
                let short = format!("{name}.{namespace}.svc");
                vec![format!("{short}.cluster.local"), short]
            }
            Self::Url(url) => vec![url.host().to_owned()],
        }
    }

    /// How the API server calls the webhook, trusting the authorities of a bundle in PEM; without one it trusts those of
    /// its own system.
    pub fn client_config(&self, bundle: Option<&str>) -> WebhookClientConfig {
        let ca_bundle = bundle.map(|bundle| ByteString(bundle.as_bytes().to_vec()));
        match self {
            Self::Service { namespace, name } => WebhookClientConfig {
                ca_bundle,
                service: Some(ServiceReference {
                    name: name.clone(),
                    namespace: namespace.clone(),
                    path: Some(PATH.to_owned()),
                    port: Some(443),
                }),
                url: None,
            },
            Self::Url(url) => WebhookClientConfig { ca_bundle, service: None, url: Some(url.to_string()) },
        }
    }
}

/// An `https` URL under which the API server reaches the webhook, without the webhook's own path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

/// The text is no URL for a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an https URL with a host and without a query, such as https://127.0.0.1:9443")]
pub struct InvalidUrl;

impl WebhookUrl {
    /// The host name or address.
    fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidUrl)?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let is_valid = uri.scheme() == Some(&Scheme::HTTPS)
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
            && !has_user;
        if is_valid { Ok(Self(uri)) } else { Err(InvalidUrl) }
    }
}

impl fmt::Display for WebhookUrl {
    /// The URL with the webhook's path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "https://{authority}{}{PATH}", self.0.path().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebhookUrl {
        text.parse().expect("a URL")
    }

    #[test]
    fn a_url_gets_the_path_of_the_webhook() {
        assert_eq!(url("https://127.0.0.1:9443").to_string(), "https://127.0.0.1:9443/mutate");
        assert_eq!(url("https://proxy.example/epiphyte/").to_string(), "https://proxy.example/epiphyte/mutate");
    }

    #[test]
    fn a_certificate_is_for_the_host_of_the_url() {
        assert_eq!(Target::Url(url("https://[::1]:9443")).names(), ["::1"]);
        assert_eq!(Target::Url(url("https://host.docker.internal:9443")).names(), ["host.docker.internal"]);
    }

    #[test]
    fn a_certificate_is_for_the_names_of_the_service() {
        let target = Target::Service { namespace: "lumigo-system".to_owned(), name: "epiphyte-webhook".to_owned() };
        let names = ["epiphyte-webhook.lumigo-system.svc.cluster.local", "epiphyte-webhook.lumigo-system.svc"];
        assert_eq!(target.names(), names);
    }

    #[test]
    fn what_the_api_server_would_not_call_is_refused() {
        for text in ["http://127.0.0.1", "127.0.0.1:9443", "/mutate", "https://a/?b", "https://me@a/", ""] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(InvalidUrl), "{text}");
        }
    }
}
