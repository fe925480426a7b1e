//! The Secret that all replicas serve from.

use std::collections::BTreeMap;

use epiphyte_api::names::{FIELD_MANAGER, WEBHOOK_SECRET};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::certificates::{CertificateError, Material, Texts};

const KEYS: Texts<&str> = Texts { bundle: "ca.crt", authority_key: "ca.key", certificate: "tls.crt", key: "tls.key" };

/// The Secret that all replicas serve from. Read by `get` alone: nothing lists or watches secrets.
pub(super) struct Store {
    api: Api<Secret>,
}

/// What is stored.
pub(super) struct Stored {
    /// Resource version of the Secret.
    pub(super) version: String,
    /// What it holds, if that can be used.
    pub(super) material: Result<Material, CertificateError>,
}

/// What came of a write.
pub(super) enum Written {
    /// It is stored.
    Stored,
    /// Somebody else wrote first.
    Overtaken,
}

impl Store {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace) }
    }

    /// Reads the Secret, if it is there.
    pub(super) async fn read(&self) -> kube::Result<Option<Stored>> {
        let secret = self.api.get_opt(WEBHOOK_SECRET).await?;
        Ok(secret.map(|secret| Stored {
            version: secret.metadata.resource_version.unwrap_or_default(),
            material: read(&secret.data.unwrap_or_default()),
        }))
    }

    /// Makes the Secret.
    pub(super) async fn create(&self, material: &Material) -> kube::Result<Written> {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(WEBHOOK_SECRET.to_owned()), ..ObjectMeta::default() },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(data(material)),
            ..Secret::default()
        };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        written(self.api.create(&params, &secret).await)
    }

    /// Changes the Secret, if it is still the one that was read.
    pub(super) async fn update(&self, version: &str, material: &Material) -> kube::Result<Written> {
        let patch = json!({ "metadata": { "resourceVersion": version }, "data": data(material) });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        written(self.api.patch(WEBHOOK_SECRET, &params, &Patch::Merge(patch)).await)
    }
}

fn written(result: kube::Result<Secret>) -> kube::Result<Written> {
    match result {
        Ok(_) => Ok(Written::Stored),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Written::Overtaken),
        Err(error) => Err(error),
    }
}

fn read(data: &BTreeMap<String, ByteString>) -> Result<Material, CertificateError> {
    let text = |key: &str| {
        let bytes = data.get(key).map(|ByteString(bytes)| bytes.as_slice());
        bytes
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| CertificateError::Unreadable(format!("no text under `{key}`")))
    };
    Material::read(Texts {
        bundle: text(KEYS.bundle)?,
        authority_key: text(KEYS.authority_key)?,
        certificate: text(KEYS.certificate)?,
        key: text(KEYS.key)?,
    })
}

fn data(material: &Material) -> BTreeMap<String, ByteString> {
    let Texts { bundle, authority_key, certificate, key } = material.texts();
    [(KEYS.bundle, bundle), (KEYS.authority_key, authority_key), (KEYS.certificate, certificate), (KEYS.key, key)]
        .map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
        .into()
}
