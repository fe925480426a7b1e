//! Whether the pods of a template can run on a node.

use crate::scheduling::{Operator, Requirement, Scheduling, Term, Toleration};
use crate::{Node, TaintEffect};

/// Key of the taint that stands for a node's `spec.unschedulable`.
pub(crate) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Whether `nodeName`, node selector and required affinity let a pod run on a node.
pub(crate) fn selects(scheduling: &Scheduling, node: &Node) -> bool {
    scheduling.node_name.as_ref().is_none_or(|name| *name == node.name)
        && scheduling.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
        && scheduling.terms.as_ref().is_none_or(|terms| terms.iter().any(|term| matches(term, node)))
}

/// Whether tolerations cover a taint.
pub(crate) fn tolerated(tolerations: &[Toleration], key: &str, value: &str, effect: TaintEffect) -> bool {
    tolerations.iter().any(|toleration| {
        toleration.key.as_deref().is_none_or(|tolerated| tolerated == key)
            && toleration.value.as_deref().is_none_or(|tolerated| tolerated == value)
            && toleration.effect.is_none_or(|tolerated| tolerated == effect)
    })
}

fn matches(term: &Term, node: &Node) -> bool {
    let empty = term.labels.is_empty() && term.fields.is_empty();
    let field = |requirement: &Requirement| {
        // Kubernetes selects by one field, and by these two operators.
        &*requirement.key == "metadata.name"
            && matches!(requirement.operator, Operator::In | Operator::NotIn)
            && meets(requirement, Some(&node.name))
    };
    !empty
        && term
            .labels
            .iter()
            .all(|requirement| meets(requirement, node.labels.get(&requirement.key).map(|value| &**value)))
        && term.fields.iter().all(field)
}

fn meets(requirement: &Requirement, value: Option<&str>) -> bool {
    let listed = |value: &str| requirement.values.iter().any(|listed| &**listed == value);
    let compared = |wanted: std::cmp::Ordering| {
        let ([bound], Some(value)) = (&*requirement.values, value) else {
            return false;
        };
        match (value.parse::<i64>(), bound.parse::<i64>()) {
            (Ok(value), Ok(bound)) => value.cmp(&bound) == wanted,
            _ => false,
        }
    };
    match requirement.operator {
        Operator::In => value.is_some_and(listed),
        Operator::NotIn => !value.is_some_and(listed),
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
        Operator::Gt => compared(std::cmp::Ordering::Greater),
        Operator::Lt => compared(std::cmp::Ordering::Less),
        Operator::Unknown => false,
    }
}
