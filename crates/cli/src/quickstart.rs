//! `epiphyte operator --quickstart`: gives namespaces a `Lumigo`, and the Secret with its token.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::Token;
use epiphyte_api::names::{DEFAULT_TOKEN_KEY, DEFAULT_TOKEN_SECRET, PART_OF, PART_OF_LABEL, SYSTEM_NAMESPACES};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::audit::{LUMIGOES, NAMESPACES, SECRETS, is_labelled, text};
use crate::cluster::{Cluster, Named, Refusal};
use crate::show;

/// Name of the Lumigo that a namespace is given.
const LUMIGO: &str = "lumigo";

/// How long the definition of the Lumigo is waited for, which a chart brings along, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(1);

/// Which namespaces to monitor, and by which token.
#[derive(Args)]
pub(crate) struct QuickstartArguments {
    /// Give namespaces a Lumigo, and end: `all` that there are now, or JSON such as
    /// [{"namespace":"shop","tracingEnabled":true,"loggingEnabled":false}]. The chart does so for `monitoredNamespaces`.
    #[arg(long, value_name = "NAMESPACES", conflicts_with_all = ["uninstall", "webhook_url"], help_heading = "Starting")]
    pub(crate) quickstart: Option<Monitored>,
    /// The token; best given by the variable, since arguments are seen by others.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "LUMIGO_TOKEN",
        hide_env_values = true,
        requires = "quickstart",
        help_heading = "Starting"
    )]
    pub(crate) lumigo_token: Option<String>,
}

/// The namespaces to monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Monitored {
    /// All that there are, but for those that are never instrumented.
    All,
    /// These.
    These(Vec<Namespace>),
}

/// A namespace to monitor. What is not said is left as it is, and on where nothing is there yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Namespace {
    namespace: String,
    #[serde(default)]
    tracing_enabled: Option<bool>,
    #[serde(default)]
    logging_enabled: Option<bool>,
}

impl FromStr for Monitored {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" { Ok(Self::All) } else { serde_json::from_str(text).map(Self::These) }
    }
}

impl Namespace {
    fn named(name: &str) -> Self {
        Self { namespace: name.to_owned(), tracing_enabled: None, logging_enabled: None }
    }

    /// The Lumigo of a namespace that has none.
    fn lumigo(&self) -> Value {
        json!({
            "apiVersion": LUMIGOES.api_version(), "kind": LUMIGOES.kind,
            "metadata": { "name": LUMIGO, "namespace": self.namespace },
            "spec": {
                "lumigoToken": { "secretRef": { "name": DEFAULT_TOKEN_SECRET, "key": DEFAULT_TOKEN_KEY } },
                "tracing": { "enabled": self.tracing_enabled.unwrap_or(true) },
                "logging": { "enabled": self.logging_enabled.unwrap_or(true) },
            },
        })
    }

    /// What is to change of the Lumigo that there is; nothing where it says the same.
    fn change(&self, lumigo: &Value) -> Option<Value> {
        let wanted = [("tracing", self.tracing_enabled), ("logging", self.logging_enabled)];
        let differs = |(part, wanted): &(&str, Option<bool>)| {
            let is = lumigo.pointer(&format!("/spec/{part}/enabled")).and_then(Value::as_bool);
            wanted.is_some_and(|wanted| is != Some(wanted))
        };
        let parts = wanted.into_iter().filter(differs);
        let spec: serde_json::Map<_, _> =
            parts.map(|(part, wanted)| (part.to_owned(), json!({ "enabled": wanted }))).collect();
        (!spec.is_empty()).then(|| json!({ "spec": spec }))
    }
}

/// Gives the namespaces what they are to have; one that cannot have it hinders no other.
pub(crate) async fn run(monitored: Monitored, token: Option<String>, own: &str) -> anyhow::Result<ExitCode> {
    let token = token.and_then(Token::parse).context("there is no token, or what is given for one is none")?;
    let cluster = Cluster::of_person().await?;
    let starter = Starter { cluster: &cluster, token: &token, deadline: Instant::now() + PATIENCE };
    let namespaces = match monitored {
        Monitored::These(namespaces) => namespaces,
        Monitored::All => starter.all(own).await?,
    };
    let mut ended = ExitCode::SUCCESS;
    let mut page = String::new();
    for namespace in namespaces {
        let said = match starter.start(&namespace).await {
            Ok(said) => said.to_owned(),
            Err(refusal) => {
                ended = ExitCode::FAILURE;
                format!("{:#}", anyhow::Error::from(refusal))
            }
        };
        page.push_str(&format!("{}: {said}\n", namespace.namespace));
    }
    show::print(&page)?;
    Ok(ended)
}

/// Whoever gives namespaces their Lumigo.
struct Starter<'a> {
    cluster: &'a Cluster,
    token: &'a Token,
    /// When no more is waited for a definition.
    deadline: Instant,
}

impl Starter<'_> {
    /// All namespaces that there are, but for those of the system, ours, and those that are about to go.
    async fn all(&self, own: &str) -> anyhow::Result<Vec<Namespace>> {
        let mut found = Vec::new();
        let each = |it: Value| {
            let name = text(&it, "/metadata/name");
            let never = SYSTEM_NAMESPACES.contains(&name) || name == own || is_labelled(&it);
            if !never && it.pointer("/metadata/deletionTimestamp").is_none() {
                found.push(Namespace::named(name));
            }
        };
        self.cluster.list(&NAMESPACES, None, None, each).await?;
        Ok(found)
    }

    async fn start(&self, namespace: &Namespace) -> Result<&'static str, Refusal> {
        let name = Some(namespace.namespace.as_str());
        let mut lumigoes: Vec<Value> = Vec::new();
        while let Err(refusal) = self.cluster.list(&LUMIGOES, name, None, |it| lumigoes.push(it)).await {
            match refusal {
                Refusal::Unserved(_) if Instant::now() < self.deadline => sleep(LOOK).await,
                refusal => return Err(refusal),
            }
            lumigoes.clear();
        }
        let ours = lumigoes.iter().find(|it| text(it, "/metadata/name") == LUMIGO);
        if ours.is_none() && !lumigoes.is_empty() {
            return Ok("has a Lumigo of its own, which stays as it is");
        }
        let said = match ours {
            None => {
                self.cluster.create(&LUMIGOES, name, &namespace.lumigo()).await?;
                "has a Lumigo now"
            }
            Some(lumigo) => match namespace.change(lumigo) {
                None => "has its Lumigo",
                Some(change) => {
                    let named = Named { resource: &LUMIGOES, namespace: name, name: LUMIGO };
                    self.cluster.merge(named, &change).await?;
                    "has its Lumigo, which was changed"
                }
            },
        };
        let lumigo = self.cluster.get(&LUMIGOES, name, LUMIGO).await?.unwrap_or_default();
        self.give_token(name, text(&lumigo, "/metadata/uid")).await?;
        Ok(said)
    }

    /// Sees to the Secret. It goes with the Lumigo, and one that somebody else made stays as it is.
    async fn give_token(&self, namespace: Option<&str>, uid: &str) -> Result<(), Refusal> {
        let data = json!({ DEFAULT_TOKEN_KEY: self.token.expose() });
        let owner = json!({ "apiVersion": LUMIGOES.api_version(), "kind": LUMIGOES.kind, "name": LUMIGO, "uid": uid });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": DEFAULT_TOKEN_SECRET, "labels": { PART_OF_LABEL: PART_OF }, "ownerReferences": [owner],
            },
            "stringData": data,
        });
        if self.cluster.create(&SECRETS, namespace, &secret).await? {
            return Ok(());
        }
        let found = self.cluster.get(&SECRETS, namespace, DEFAULT_TOKEN_SECRET).await?;
        if found.is_some_and(|it| is_labelled(&it)) {
            let named = Named { resource: &SECRETS, namespace, name: DEFAULT_TOKEN_SECRET };
            self.cluster.merge(named, &json!({ "stringData": data })).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_all_or_a_list_without_unknown_keys() {
        assert_eq!("all".parse::<Monitored>().expect("all"), Monitored::All);
        let Monitored::These(list) = r#"[{"namespace":"shop","loggingEnabled":false}]"#.parse().expect("a list") else {
            panic!("it is a list");
        };
        assert_eq!(list, [Namespace { logging_enabled: Some(false), ..Namespace::named("shop") }]);
        assert!(r#"[{"namespace":"shop","logging":false}]"#.parse::<Monitored>().is_err());
    }

    #[test]
    fn only_what_was_said_is_changed() {
        let lumigo = json!({ "spec": { "tracing": { "enabled": true }, "logging": { "enabled": true } } });
        assert_eq!(Namespace::named("shop").change(&lumigo), None);
        let namespace =
            Namespace { tracing_enabled: Some(true), logging_enabled: Some(false), ..Namespace::named("shop") };
        assert_eq!(namespace.change(&lumigo), Some(json!({ "spec": { "logging": { "enabled": false } } })));
    }
}
