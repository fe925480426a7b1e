//! The operator's settings: a typed YAML file, read again when it changes.

use std::collections::BTreeSet;
use std::path::Path;

use epiphyte_daemon::settings::{self, SettingsError};
use jiff::SignedDuration;
use serde::Deserialize;

/// Settings of the operator. Every key has a default; an unknown key is an error that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Namespaces besides those of the system that are never instrumented.
    pub ignored_namespaces: BTreeSet<String>,
    /// The collectors, whose readiness gates the `device` delivery.
    pub collectors: Collectors,
    /// The scheduler, which says whether the telemetry proxy is ready.
    pub scheduler: Scheduler,
    /// The `device` delivery.
    pub device: Device,
    /// The `injector` delivery.
    pub injector: Injector,
    /// The mutating webhook.
    pub webhook: Webhook,
    /// Election of the replica that writes.
    pub leader_election: LeaderElection,
}

/// The collectors, whose readiness gates the `device` delivery.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Collectors {
    /// How long the collectors may be unready before devices are taken off, such as `5m`; `0s` takes them off at once.
    pub unready_grace_period: SignedDuration,
}

impl Default for Collectors {
    fn default() -> Self {
        Self { unready_grace_period: SignedDuration::from_mins(5) }
    }
}

/// The scheduler, which says whether the telemetry proxy is ready.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scheduler {
    /// Whether the operator keeps the `CollectorsGroup` of the telemetry proxy; else that is left to whoever else does.
    pub enabled: bool,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The `device` delivery.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Device {
    /// Whether a device is added only where nodes offer it, so that no pod stays Pending because of us.
    pub require_offer: bool,
}

impl Default for Device {
    fn default() -> Self {
        Self { require_offer: true }
    }
}

/// The `injector` delivery.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Injector {
    /// Image of the init container that brings the agents.
    pub image: String,
    /// URL that injected applications send traces to.
    pub endpoint: String,
    /// URL that injected applications send logs to.
    pub logs_endpoint: String,
}

impl Default for Injector {
    fn default() -> Self {
        Self {
            image: format!("epiphyte/agents:{}", env!("CARGO_PKG_VERSION")),
            endpoint: "http://epiphyte-telemetry-proxy.lumigo-system.svc:4318/v1/traces".to_owned(),
            logs_endpoint: "http://epiphyte-telemetry-proxy.lumigo-system.svc:4318/v1/logs".to_owned(),
        }
    }
}

/// The mutating webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Webhook {
    /// Name of the MutatingWebhookConfiguration that the authority is patched into.
    pub configuration_name: String,
    /// How long a serving certificate is good; it is renewed at two thirds of that.
    pub certificate_lifetime: SignedDuration,
    /// How long the certificate authority is good; it is renewed at two thirds of that, and both are trusted meanwhile.
    pub authority_lifetime: SignedDuration,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            configuration_name: "epiphyte".to_owned(),
            certificate_lifetime: SignedDuration::from_hours(90 * 24),
            authority_lifetime: SignedDuration::from_hours(5 * 365 * 24),
        }
    }
}

/// Election of the replica that writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LeaderElection {
    /// How long a replica that went silent keeps the others from writing.
    pub lease_duration: SignedDuration,
}

impl Default for LeaderElection {
    fn default() -> Self {
        Self { lease_duration: SignedDuration::from_secs(15) }
    }
}

impl Settings {
    /// Reads the settings from a file.
    ///
    /// # Errors
    /// The file cannot be read, is no YAML, has an unknown key or a value of another type.
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

    /// The part of the settings that planning reads.
    pub fn for_planning(&self, system_namespace: &str) -> epiphyte_plan::Settings {
        epiphyte_plan::Settings {
            ignored_namespaces: self.ignored_namespaces.clone(),
            system_namespace: system_namespace.to_owned(),
            require_offer: self.device.require_offer,
        }
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
    fn an_unknown_key_is_named() {
        let error = Settings::from_yaml("collectors:\n  unreadyGrace: 5m\n").expect_err("the key is unknown");
        assert!(error.contains("unreadyGrace"), "{error}");
    }

    #[test]
    fn a_period_is_written_as_people_write_it() {
        let settings = Settings::from_yaml("collectors: {unreadyGracePeriod: 0s}").expect("valid");
        assert_eq!(settings.collectors.unready_grace_period, SignedDuration::ZERO);
    }
}
