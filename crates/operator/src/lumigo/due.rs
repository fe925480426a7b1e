//! What a Lumigo needs: pure, from the index and the tokens alone.

use epiphyte_api::LumigoStatus;

use super::standing::{Standing, standing};
use super::status::status_of;
use super::token::TokenState;
use crate::index::{Index, LumigoRecord, lumigo_status_digest};

/// What a Lumigo needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LumigoDue {
    /// Nothing.
    Nothing,
    /// Our finalizer, before anything is injected for it.
    Finalizer,
    /// To be let go: it is being deleted, and nothing is left to take off.
    Release,
    /// Another status.
    Status(LumigoStatus),
}

impl LumigoDue {
    /// Works out what is due. `token` is what the Lumigo's Secret holds, if it was read.
    pub(crate) fn of(index: &Index, lumigo: &LumigoRecord, token: Option<TokenState>) -> Self {
        let standing = standing(index, lumigo, token);
        match &standing {
            Standing::Deleting(left) if left.is_empty() && lumigo.has_finalizer => return Self::Release,
            // It only waits for finalizers of others.
            Standing::Deleting(_) if !lumigo.has_finalizer => return Self::Nothing,
            Standing::Deleting(_) => {}
            _ if !lumigo.has_finalizer && !index.is_uninstalling() => return Self::Finalizer,
            Standing::Unknown => return Self::Nothing,
            Standing::Active | Standing::Error(_) => {}
        }
        let wanted = status_of(index, lumigo, &standing);
        if lumigo_status_digest(&wanted) == lumigo.status { Self::Nothing } else { Self::Status(wanted) }
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::{Reason, Token};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::learn;
    use crate::settings::Settings;

    fn lumigo(name: &str, metadata: Value) -> Value {
        let mut object = json!({
            "apiVersion": "operator.lumigo.io/v1", "kind": "Lumigo",
            "metadata": { "name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "lumigoToken": { "secretRef": { "name": "credentials", "key": "token" } } },
            "status": { "conditions": [{
                "type": "Active", "status": "True", "reason": "LumigoActive", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }] },
        });
        json_patch::merge(&mut object, &json!({ "metadata": metadata }));
        object
    }

    fn finalized() -> Value {
        json!({ "finalizers": ["operator.lumigo.io/lumigo-finalizer"] })
    }

    fn deleted() -> Value {
        json!({ "finalizers": ["operator.lumigo.io/lumigo-finalizer"], "deletionTimestamp": "2026-01-02T00:00:00Z" })
    }

    fn index(objects: impl IntoIterator<Item = Value>) -> Index {
        let mut index = Index::new(&Settings::default(), "odigos-system");
        for object in objects {
            learn(&mut index, &object, Timestamp::UNIX_EPOCH).expect("it can be read");
        }
        index
    }

    fn good() -> Option<TokenState> {
        Token::parse(b"t_0123456789abcdef01234").map(TokenState::Good)
    }

    fn due(index: &Index, name: &str, token: Option<TokenState>) -> LumigoDue {
        let lumigo = index.lumigoes().find(|lumigo| &*lumigo.fact.name == name).expect("it is there");
        LumigoDue::of(index, lumigo, token)
    }

    fn reasons(due: LumigoDue) -> Vec<(String, String, String)> {
        match due {
            LumigoDue::Status(status) => {
                status.conditions.into_iter().map(|it| (it.type_, it.status, it.reason)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn is(active: &str, active_reason: &str, error: &str, error_reason: &str) -> Vec<(String, String, String)> {
        vec![
            ("Active".to_owned(), active.to_owned(), active_reason.to_owned()),
            ("Error".to_owned(), error.to_owned(), error_reason.to_owned()),
        ]
    }

    /// A Deployment that is injected.
    fn injected() -> Value {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "cart", "namespace": "shop", "uid": "1" },
            "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "cart:2" }] } } },
        });
        let index = index([lumigo("first", finalized())]);
        let kind = epiphyte_api::WorkloadKind::Deployment;
        let manifest: epiphyte_plan::Manifest = serde_json::from_value(deployment.clone()).expect("a manifest");
        let workload = manifest.into_workload(kind);
        let verdict = index.plan(&workload, Some(&workload));
        epiphyte_surgery::operate(kind, &mut deployment, &verdict, &index.rendering(&workload))
            .expect("it is operated on");
        deployment
    }

    #[test]
    fn the_finalizer_comes_before_everything_else() {
        assert_eq!(due(&index([lumigo("first", json!({}))]), "first", None), LumigoDue::Finalizer);
    }

    #[test]
    fn nothing_is_said_before_the_secret_was_read() {
        let index = index([lumigo("first", finalized())]);
        assert_eq!(due(&index, "first", None), LumigoDue::Nothing);
        assert_eq!(due(&index, "first", Some(TokenState::Unanswered)), LumigoDue::Nothing);
    }

    #[test]
    fn a_good_token_makes_it_active_and_a_bad_one_says_why() {
        let index = index([lumigo("first", finalized())]);
        assert_eq!(reasons(due(&index, "first", good())), is("True", "LumigoActive", "False", "LumigoActive"));
        let bad = Some(TokenState::Bad(Reason::SecretNotFound));
        assert_eq!(reasons(due(&index, "first", bad)), is("False", "SecretNotFound", "True", "SecretNotFound"));
    }

    #[test]
    fn of_two_the_oldest_counts_and_of_the_same_age_the_first_by_name() {
        let older = json!({ "creationTimestamp": "2025-01-01T00:00:00Z", "finalizers": finalized()["finalizers"] });
        let index_of = |second: Value| index([lumigo("first", finalized()), lumigo("second", second)]);
        let other = is("False", "OtherLumigo", "True", "OtherLumigo");
        assert_eq!(reasons(due(&index_of(finalized()), "second", good())), other);
        assert_eq!(reasons(due(&index_of(older), "first", good())), other);
    }

    #[test]
    fn one_that_is_deleted_is_released_once_nothing_is_left_to_take_off() {
        assert_eq!(due(&index([lumigo("first", deleted())]), "first", None), LumigoDue::Release);
        let index = index([lumigo("first", deleted()), injected()]);
        let wanted = is("False", "LumigoBeingDeleted", "False", "LumigoBeingDeleted");
        assert_eq!(reasons(due(&index, "first", None)), wanted);
    }

    #[test]
    fn one_that_asks_for_its_injections_to_stay_is_released_at_once() {
        let mut keeping = lumigo("first", deleted());
        keeping["spec"]["tracing"] = json!({ "injection": { "removeLumigoFromResourcesOnDeletion": false } });
        assert_eq!(due(&index([keeping, injected()]), "first", None), LumigoDue::Release);
    }

    #[test]
    fn a_successor_takes_over_what_is_injected() {
        let index = index([lumigo("first", deleted()), lumigo("second", finalized()), injected()]);
        assert_eq!(due(&index, "first", None), LumigoDue::Release);
        assert_eq!(reasons(due(&index, "second", good())), is("True", "LumigoActive", "False", "LumigoActive"));
    }

    #[test]
    fn what_is_injected_is_listed_for_the_one_that_counts() {
        let index = index([lumigo("first", finalized()), lumigo("second", finalized()), injected()]);
        let listed = |name| match due(&index, name, good()) {
            LumigoDue::Status(status) => status.instrumented_resources.into_iter().map(|it| it.name).collect(),
            _ => Vec::new(),
        };
        assert_eq!(listed("first"), ["cart"]);
        assert!(listed("second").is_empty());
    }
}
