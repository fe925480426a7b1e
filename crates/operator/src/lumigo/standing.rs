//! How a Lumigo stands: pure, from the index and the tokens alone.

use epiphyte_api::Reason;

use super::token::TokenState;
use crate::due::Due;
use crate::index::{Index, LumigoRecord, WorkloadKey};

/// How a Lumigo stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts in its namespace, and its token is good.
    Active,
    /// Somebody has to act.
    Error(Reason),
    /// Its Secret was not read yet.
    Unknown,
    /// It is being deleted, and takes off what these workloads have of it first.
    Deleting(Vec<WorkloadKey>),
}

/// How a Lumigo stands. `token` is what its Secret holds, if it was read.
pub(super) fn standing(index: &Index, lumigo: &LumigoRecord, token: Option<TokenState>) -> Standing {
    if lumigo.fact.deleting {
        // One that does not count has nothing of its own on any workload.
        return Standing::Deleting(if index.counts(lumigo) { unsettled(index, &lumigo.namespace) } else { Vec::new() });
    }
    if !index.counts(lumigo) {
        return Standing::Error(Reason::OtherLumigo);
    }
    match &lumigo.fact.token {
        None => return Standing::Error(Reason::TokenNotReferenced),
        Some(token) if token.name.trim().is_empty() => return Standing::Error(Reason::SecretNameMissing),
        Some(token) if token.key.trim().is_empty() => return Standing::Error(Reason::SecretKeyMissing),
        Some(_) => {}
    }
    match token {
        Some(TokenState::Good(_)) => Standing::Active,
        Some(TokenState::Bad(reason)) => Standing::Error(reason),
        Some(TokenState::Unanswered) | None => Standing::Unknown,
    }
}

/// Workloads of a namespace that are not yet as their verdict says, in order.
fn unsettled(index: &Index, namespace: &str) -> Vec<WorkloadKey> {
    let workloads = index.workloads_of(namespace);
    workloads.filter(|(_, workload)| Due::of(index, workload).surgery).map(|(key, _)| key.clone()).collect()
}
