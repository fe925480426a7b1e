//! Kubeconfigs, self-contained, and clients made of them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use k8s_openapi::ByteString;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::{Error, Result};

/// The kubeconfig of a user; JSON, which is YAML too. Keys and certificates stand inside, so that a copy works.
pub(crate) fn render(server: &str, authority: &str, user: &str, identity: &Identity) -> Value {
    let data = |pem: &str| ByteString(pem.as_bytes().to_vec());
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "testbed",
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "clusters": [{"name": "testbed", "cluster": {
            "server": server,
            "certificate-authority-data": data(authority),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate-data": data(&identity.certificate),
            "client-key-data": data(&identity.key),
        }}],
    })
}

/// Writes a file that only this user can read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(Error::file("write", path))
}

/// A client for the server of a kubeconfig, or with the same credentials for another server.
pub(crate) async fn client(kubeconfig: &Value, user: &str, server: Option<&str>) -> Result<Client> {
    let unusable = |problem: String| Error::Kubeconfig { user: user.to_owned(), problem };
    let parsed: Kubeconfig = serde_json::from_value(kubeconfig.clone()).map_err(|e| unusable(e.to_string()))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(parsed, &options).await.map_err(|e| unusable(e.to_string()))?;
    // Loopback needs no proxy, whatever the environment says.
    config.proxy_url = None;
    if let Some(server) = server {
        config.cluster_url = server.parse().map_err(|e: http::uri::InvalidUri| unusable(e.to_string()))?;
    }
    Client::try_from(config).map_err(|e| unusable(e.to_string()))
}
