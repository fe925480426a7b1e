//! Where the pods of a template can run, by the rules of the Kubernetes scheduler that can be known beforehand.

use crate::node::TaintEffect;

/// What a pod template demands of a node: `nodeName`, `nodeSelector`, required node affinity and tolerations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `nodeName`.
    pub node_name: Option<Box<str>>,
    /// `nodeSelector`, all of which must match.
    pub selector: Vec<(Box<str>, Box<str>)>,
    /// Terms of the required node affinity, one of which must match; `None` where there is no required affinity.
    pub terms: Option<Vec<Term>>,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
}

/// A term of the required node affinity. A term without a requirement matches no node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// Requirements on labels.
    pub labels: Vec<Requirement>,
    /// Requirements on fields; Kubernetes knows `metadata.name` only.
    pub fields: Vec<Requirement>,
}

/// One requirement of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label or field.
    pub key: Box<str>,
    /// How its value is held against `values`.
    pub operator: Operator,
    /// The values.
    pub values: Vec<Box<str>>,
}

/// How a requirement is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of those given.
    In,
    /// The value is none of those given, or is missing.
    NotIn,
    /// There is a value.
    Exists,
    /// There is no value.
    DoesNotExist,
    /// The value is a number greater than the one given.
    Gt,
    /// The value is a number less than the one given.
    Lt,
    /// A word that this build does not know: matches nothing.
    Unknown,
}

/// A toleration of a pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Key of the taints that are tolerated; `None` for every key.
    pub key: Option<Box<str>>,
    /// Value of the taints that are tolerated; `None` for every value (operator `Exists`).
    pub value: Option<Box<str>>,
    /// Effect of the taints that are tolerated; `None` for every effect.
    pub effect: Option<TaintEffect>,
}

/// The manifest's shape of what a template demands of a node.
pub(crate) mod wire {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{Operator, Requirement, Scheduling, TaintEffect, Term, Toleration};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Affinity {
        node_affinity: Option<NodeAffinity>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NodeAffinity {
        required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NodeSelector {
        node_selector_terms: Option<Vec<TermManifest>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TermManifest {
        match_expressions: Option<Vec<RequirementManifest>>,
        match_fields: Option<Vec<RequirementManifest>>,
    }

    #[derive(Deserialize)]
    struct RequirementManifest {
        #[serde(default)]
        key: Box<str>,
        #[serde(default)]
        operator: Box<str>,
        values: Option<Vec<Box<str>>>,
    }

    #[derive(Deserialize)]
    pub(crate) struct TolerationManifest {
        key: Option<Box<str>>,
        operator: Option<Box<str>>,
        value: Option<Box<str>>,
        effect: Option<Box<str>>,
    }

    /// What the parts of a pod template demand of a node; `None` if nothing.
    pub(crate) fn scheduling(
        node_name: Option<Box<str>>,
        selector: Option<BTreeMap<Box<str>, Box<str>>>,
        affinity: Option<Affinity>,
        tolerations: Option<Vec<TolerationManifest>>,
    ) -> Option<Box<Scheduling>> {
        let terms = affinity
            .and_then(|affinity| affinity.node_affinity)
            .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution)
            .map(|required| required.node_selector_terms.into_iter().flatten().map(term).collect());
        let scheduling = Scheduling {
            node_name: node_name.filter(|name| !name.is_empty()),
            selector: selector.into_iter().flatten().collect(),
            terms,
            tolerations: tolerations.into_iter().flatten().filter_map(toleration).collect(),
        };
        (scheduling != Scheduling::default()).then(|| Box::new(scheduling))
    }

    fn term(manifest: TermManifest) -> Term {
        let requirements =
            |list: Option<Vec<RequirementManifest>>| list.into_iter().flatten().map(requirement).collect();
        Term { labels: requirements(manifest.match_expressions), fields: requirements(manifest.match_fields) }
    }

    fn requirement(manifest: RequirementManifest) -> Requirement {
        let operator = match &*manifest.operator {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => Operator::Unknown,
        };
        Requirement { key: manifest.key, operator, values: manifest.values.unwrap_or_default() }
    }

    /// A toleration that can matter here: one of `PreferNoSchedule` alone keeps no pod away, so it is dropped.
    fn toleration(manifest: TolerationManifest) -> Option<Toleration> {
        let effect = match manifest.effect.as_deref() {
            None | Some("") => None,
            Some("NoSchedule") => Some(TaintEffect::NoSchedule),
            Some("NoExecute") => Some(TaintEffect::NoExecute),
            Some(_) => return None,
        };
        let exists = manifest.operator.as_deref() == Some("Exists");
        Some(Toleration {
            key: manifest.key.filter(|key| !key.is_empty()),
            value: (!exists).then(|| manifest.value.unwrap_or_default()),
            effect,
        })
    }
}
