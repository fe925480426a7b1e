//! What several checks go by: the cluster, the operator's Deployment, the API server's version and clock.

use epiphyte_api::names::OPERATOR;
use epiphyte_operator::settings::Settings;
use jiff::Timestamp;
use serde_json::Value;

use crate::audit::{CONFIG_MAPS, DEPLOYMENTS, selector, text};
use crate::cluster::{Answer, Cluster, Refusal};
use crate::engine::EngineArguments;

/// Which Secrets may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// The one with the webhook's certificate, of which the certificates alone are looked at.
    OurOwn,
    /// None.
    LeftAlone,
}

/// The cluster, as far as several checks need to know it.
pub(super) struct Patient<'a> {
    pub(super) cluster: &'a Cluster,
    /// What the person said of the operator's settings.
    engine: &'a EngineArguments,
    pub(super) secrets: Secrets,
    /// Where the operator is, or else was said to be.
    pub(super) system: String,
    /// Deployments of operators, wherever they are; or why they could not be listed.
    pub(super) operators: Result<Vec<Value>, String>,
    /// What the API server says of its version, and when.
    pub(super) version: Answer,
}

impl<'a> Patient<'a> {
    /// Asks. Only an API server that cannot be asked at all is an error.
    pub(super) async fn of(
        cluster: &'a Cluster,
        engine: &'a EngineArguments,
        secrets: Secrets,
    ) -> anyhow::Result<Patient<'a>> {
        let version = cluster.ask("/version").await?;
        let mut operators = Vec::new();
        let each = |deployment: Value| {
            if text(&deployment, "/metadata/name") == OPERATOR {
                operators.push(deployment);
            }
        };
        let operators = match cluster.list_labelled(&DEPLOYMENTS, &selector(), each).await {
            Ok(()) => Ok(operators),
            Err(Refusal::Forbidden(why) | Refusal::Unserved(why)) => Err(why),
            Err(Refusal::Fatal(error)) => return Err(error),
        };
        let given = &engine.system_namespace;
        let namespaces = || operators.iter().flatten().map(|it| text(it, "/metadata/namespace"));
        let system = if namespaces().any(|it| it == given) { None } else { namespaces().next() };
        let system = system.unwrap_or(given).to_owned();
        Ok(Self { cluster, engine, secrets, system, operators, version })
    }

    /// The operator's Deployment.
    pub(super) fn operator(&self) -> Option<&Value> {
        self.operators.iter().flatten().find(|it| text(it, "/metadata/namespace") == self.system)
    }

    /// Whether an operator is there, as far as can be told.
    pub(super) fn has_operator(&self) -> bool {
        self.operators.as_ref().map_or(true, |all| !all.is_empty())
    }

    /// The time of the API server, as near as it can be told.
    pub(super) fn now(&self) -> Timestamp {
        self.version.date.unwrap_or(self.version.received)
    }

    /// The operator's settings: those of the file that was given, else those of its ConfigMap, else the defaults.
    pub(super) async fn settings(&self) -> Result<Settings, Refusal> {
        if self.engine.has_settings() {
            return self.engine.settings().map_err(Refusal::Fatal);
        }
        let volumes = self.operator().and_then(|it| it.pointer("/spec/template/spec/volumes")?.as_array());
        for name in volumes.into_iter().flatten().map(|it| text(it, "/configMap/name")).filter(|it| !it.is_empty()) {
            let found = self.cluster.get(&CONFIG_MAPS, Some(&self.system), name).await?;
            let yaml = found.as_ref().and_then(|it| it.get("data")?.get("settings.yaml")?.as_str());
            // The telemetry proxy has settings of its own, which are none of the operator's.
            if let Some(Ok(settings)) = yaml.map(Settings::from_yaml) {
                return Ok(settings);
            }
        }
        Ok(Settings::default())
    }
}
