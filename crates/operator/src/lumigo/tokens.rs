//! Reads the Secrets that Lumigoes name, each by its name, again and again on every replica. Nothing lists or watches secrets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::Reason;
use epiphyte_plan::TokenRef;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use parking_lot::RwLock;
use tokio::time::Instant;
use tracing::warn;

use super::token::TokenState;
use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::index::{Change, Index};
use crate::metrics::Metrics;

/// How often each Secret is read.
const PERIOD: Duration = Duration::from_secs(10);

/// How often it is looked whether a Secret is due, so that one that is newly named is read at once.
const TICK: Duration = Duration::from_millis(300);

/// Secrets that are read at the same time.
const CONCURRENCY: usize = 8;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A key of a Secret in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    namespace: Box<str>,
    token: TokenRef,
}

/// What the Secrets hold, as far as they were read. Filled by the [`Reader`].
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<RwLock<HashMap<Place, TokenState>>>);

impl Tokens {
    /// What a key of a Secret holds; `None` if it was not asked for yet.
    pub(crate) fn get(&self, namespace: &str, token: &TokenRef) -> Option<TokenState> {
        // A place is looked up once in seconds: a copy of its names costs nothing that counts.
        let place = Place { namespace: namespace.into(), token: token.clone() };
        self.0.read().get(&place).cloned()
    }

    #[cfg(test)]
    pub(super) fn set(&self, namespace: &str, token: &TokenRef, state: TokenState) {
        self.0.write().insert(Place { namespace: namespace.into(), token: token.clone() }, state);
    }
}

/// Reads Secrets.
pub(crate) struct Reader {
    pub(crate) client: Client,
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) tokens: Tokens,
    pub(crate) metrics: Metrics,
}

impl Reader {
    /// Reads what is due, for as long as it is polled.
    pub(crate) async fn run(self) {
        let mut read: HashMap<Place, Instant> = HashMap::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let wanted = wanted(&self.index.read());
            read.retain(|place, _| wanted.contains(place));
            self.tokens.0.write().retain(|place, _| wanted.contains(place));
            let is_due = |place: &&Place| read.get(*place).is_none_or(|last| last.elapsed() >= PERIOD);
            let due: Vec<Place> = wanted.iter().filter(is_due).cloned().collect();
            futures::stream::iter(&due).for_each_concurrent(CONCURRENCY, |place| self.read(place)).await;
            read.extend(due.into_iter().map(|place| (place, Instant::now())));
        }
    }

    async fn read(&self, place: &Place) {
        let Place { namespace, token: TokenRef { name, key } } = place;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        // Such a name would be another request than one for a Secret of the namespace.
        let question = async { if place.token.names_a_secret() { api.get_opt(name).await } else { Ok(None) } };
        let state = match tokio::time::timeout(PATIENCE, question).await {
            Ok(Ok(Some(secret))) => TokenState::read(&secret.data.unwrap_or_default(), key),
            Ok(Ok(None)) => TokenState::Bad(Reason::SecretNotFound),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => TokenState::Bad(Reason::SecretForbidden),
            Ok(Err(error)) => return self.unanswered(place, &epiphyte_daemon::chain(&error)),
            Err(_) => return self.unanswered(place, "no answer in time"),
        };
        self.metrics.secret_read(if state.token().is_some() { "token" } else { "no_token" });
        let before = self.tokens.0.write().insert(place.clone(), state.clone());
        // Another token is for the files alone, which look for themselves.
        let is_same = before.is_some_and(|before| match (&before, &state) {
            (TokenState::Good(_), TokenState::Good(_)) => true,
            _ => before == state,
        });
        if !is_same {
            self.dirty.mark(Change::Namespace(namespace.clone()));
        }
    }

    /// What was known stays good: an API server that is away takes nobody's token.
    fn unanswered(&self, place: &Place, why: &str) {
        let Place { namespace, token } = place;
        warn!(%namespace, secret = %token.name, error = why, "cannot read a Lumigo's Secret; trying again");
        self.metrics.secret_read("unanswered");
        self.tokens.0.write().entry(place.clone()).or_insert(TokenState::Unanswered);
    }
}

/// The places that the Lumigoes that count name.
fn wanted(index: &Index) -> HashSet<Place> {
    let counting = index.lumigoes().filter(|lumigo| index.counts(lumigo) && !lumigo.fact.deleting);
    let place = |lumigo: &crate::index::LumigoRecord| {
        let token = lumigo.fact.token.clone().filter(|token| !token.name.is_empty() && !token.key.is_empty())?;
        Some(Place { namespace: lumigo.namespace.clone(), token })
    };
    counting.filter_map(place).collect()
}
