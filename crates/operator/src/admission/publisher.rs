//! Tells the API server whom to trust: the bundle in the chart's webhook configuration, or one of our own.

use epiphyte_api::names::FIELD_MANAGER;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::info;

use super::configuration::configuration;
use super::{Options, Target};

/// Writes the webhook configuration, and only where something differs. Only the leader has one at work.
pub(super) struct Publisher {
    api: Api<MutatingWebhookConfiguration>,
    /// Name of the object that we made, outside the cluster; set when it is made or found as it should be.
    own: Option<String>,
}

/// The bundle could not be published.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error(
        "there is no MutatingWebhookConfiguration `{0}` to put the webhook's authority into: install it with the chart, or \
         name the one that there is in the setting `webhook.configurationName`"
    )]
    Missing(String),
    #[error("cannot write the webhook configuration: {0}")]
    Api(#[from] kube::Error),
}

impl Publisher {
    pub(super) fn new(client: Client) -> Self {
        Self { api: Api::all(client), own: None }
    }

    /// Makes the API server trust the authorities of a bundle in PEM.
    pub(super) async fn publish(
        &mut self,
        configuration_name: &str,
        options: &Options,
        bundle: &str,
    ) -> Result<(), PublishError> {
        match &options.target {
            Target::Service { .. } => self.patch(configuration_name, bundle).await,
            Target::Url(_) => self.apply(&outside(configuration_name), options, bundle).await,
        }
    }

    /// Puts the bundle into the chart's configuration.
    async fn patch(&self, name: &str, bundle: &str) -> Result<(), PublishError> {
        let found = self.api.get_opt(name).await?.ok_or_else(|| PublishError::Missing(name.to_owned()))?;
        let Some(patch) = bundle_patch(&found, bundle) else {
            return Ok(());
        };
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        self.api.patch(name, &params, &Patch::Strategic(patch)).await?;
        info!(configuration = name, "the webhook's authority is published");
        Ok(())
    }

    /// Makes a configuration of our own, or brings it up to date.
    async fn apply(&mut self, name: &str, options: &Options, bundle: &str) -> Result<(), PublishError> {
        if self.own.as_deref().is_some_and(|own| own != name) {
            self.remove(options).await?;
        }
        let wanted = configuration(name, options, Some(bundle));
        let found = self.api.get_opt(name).await?;
        if found.is_none_or(|found| found.webhooks != wanted.webhooks) {
            self.api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&wanted)).await?;
            info!(configuration = name, "the webhook is registered");
        }
        self.own = Some(name.to_owned());
        Ok(())
    }

    /// Removes the configuration that we made, if we made one and no other operator has made it its own since.
    pub(super) async fn remove(&mut self, options: &Options) -> Result<(), PublishError> {
        let Some(name) = self.own.take() else {
            return Ok(());
        };
        let found = self.api.get_opt(&name).await?;
        let Some(found) = found.filter(|found| leads_to(found, &options.target)) else {
            return Ok(());
        };
        let preconditions =
            Preconditions { uid: found.metadata.uid, resource_version: found.metadata.resource_version };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.api.delete(&name, &params).await {
            Ok(_) => info!(configuration = name, "the webhook is registered no more"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Whether the API server calls this target.
fn leads_to(found: &MutatingWebhookConfiguration, target: &Target) -> bool {
    let url = target.client_config(None).url;
    found.webhooks.iter().flatten().any(|webhook| webhook.client_config.url == url)
}

/// An object of our own: one that the chart left under the plain name must not be lost with us.
fn outside(configuration_name: &str) -> String {
    format!("{configuration_name}-outside")
}

/// A patch that changes the bundle of those webhooks that have another; `None` if none has.
fn bundle_patch(found: &MutatingWebhookConfiguration, bundle: &str) -> Option<Value> {
    let webhooks = found.webhooks.iter().flatten();
    let outdated = webhooks.filter(|webhook| {
        webhook.client_config.ca_bundle.as_ref().is_none_or(|published| published.0 != bundle.as_bytes())
    });
    let encoded = k8s_openapi::ByteString(bundle.as_bytes().to_vec());
    let changes: Vec<Value> =
        outdated.map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": encoded } })).collect();
    let version = &found.metadata.resource_version;
    (!changes.is_empty()).then(|| json!({ "metadata": { "resourceVersion": version }, "webhooks": changes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bundle: Option<&str>) -> MutatingWebhookConfiguration {
        let target = Target::Service { namespace: "system".to_owned(), name: "webhook".to_owned() };
        let options = Options { target, namespace: "system".to_owned(), service_account: None };
        let mut found = configuration("epiphyte", &options, bundle);
        found.metadata.resource_version = Some("7".to_owned());
        found
    }

    #[test]
    fn only_the_bundle_is_patched() {
        let expected = json!({
            "metadata": { "resourceVersion": "7" },
            "webhooks": [{ "name": "instrument.epiphyte.dev", "clientConfig": { "caBundle": "bmV3" } }],
        });
        assert_eq!(bundle_patch(&found(None), "new"), Some(expected.clone()));
        assert_eq!(bundle_patch(&found(Some("old")), "new"), Some(expected));
    }

    #[test]
    fn nothing_is_patched_where_the_bundle_is_published() {
        assert_eq!(bundle_patch(&found(Some("new")), "new"), None);
    }
}
