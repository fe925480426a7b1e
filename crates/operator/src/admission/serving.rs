//! The certificate that new connections are served with, replaced while the server runs.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificates::provider;

/// The certificate that new connections are served with; before the first one there are none.
#[derive(Default)]
pub struct Serving {
    /// Put in by the upkeep when the stored certificate is another one.
    certified_key: ArcSwapOption<CertifiedKey>,
}

impl Serving {
    /// Serves new connections with another certificate. Open ones stay as they are.
    pub fn set(&self, certified_key: CertifiedKey) {
        self.certified_key.store(Some(Arc::new(certified_key)));
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified_key.load_full()
    }
}

/// TLS of the webhook, for HTTP/2 and HTTP/1.1.
pub(super) fn tls(serving: Arc<Serving>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
