//! What is due for a workload: pure, from the index alone.

use epiphyte_api::Severity;
use epiphyte_plan::{Finding, GateState, Verdict, Workload};

use crate::index::{DetailsFact, Index, WorkloadKey, status_digest};
use crate::status::status_of;

/// What is due for a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The template is not as the verdict says.
    pub surgery: bool,
    /// What its `InstrumentedApplication` needs.
    pub details: DetailsDue,
    /// Findings that somebody has to act on.
    pub warnings: Vec<Finding>,
}

/// What an `InstrumentedApplication` needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetailsDue {
    /// Nothing.
    #[default]
    Nothing,
    /// To be created with a request.
    Ask,
    /// To be asked anew: the template's images have changed.
    AskAgain,
    /// To be deleted: the mark is gone.
    Delete,
    /// To be owned by its workload.
    Adopt,
    /// Another status.
    Status,
}

impl Due {
    /// Works out what is due.
    pub fn of(index: &Index, workload: &Workload) -> Self {
        let verdict = index.plan(workload, Some(workload));
        let details = index.details(&WorkloadKey::of(workload));
        Self {
            surgery: verdict.differs_from(workload),
            details: details_due(workload, &verdict, details),
            warnings: warnings(&verdict),
        }
    }
}

fn details_due(workload: &Workload, verdict: &Verdict, details: Option<&DetailsFact>) -> DetailsDue {
    let Some(details) = details else {
        let ask = verdict.wants_details() && !workload.deleting;
        return if ask { DetailsDue::Ask } else { DetailsDue::Nothing };
    };
    if verdict.marked.state == GateState::Fails {
        return DetailsDue::Delete;
    }
    if verdict.wants_details() && is_outdated(workload, details) {
        return DetailsDue::AskAgain;
    }
    if details.owner_uid.is_none() {
        return DetailsDue::Adopt;
    }
    let wanted = status_of(workload, verdict, details.generation);
    if status_digest(&wanted) == details.status { DetailsDue::Nothing } else { DetailsDue::Status }
}

/// Whether the object speaks of other images than the template: what was asked no longer matches it, or what was seen ran
/// another image that nobody has asked about yet.
fn is_outdated(workload: &Workload, details: &DetailsFact) -> bool {
    let containers = &workload.pod.containers;
    let asked = |name: &str| details.request.iter().find(|(asked, _)| &**asked == name).map(|(_, image)| &**image);
    if !details.request.is_empty() {
        return containers.iter().any(|container| asked(&container.name) != Some(&*container.image));
    }
    containers.iter().any(|container| {
        let (seen, _) = details.details.of(&container.name);
        seen.and_then(|seen| seen.image.as_deref()).is_some_and(|image| image != &*container.image)
    })
}

fn warnings(verdict: &Verdict) -> Vec<Finding> {
    let settled = verdict.containers.iter().map(|container| {
        let finding = container.settled_by();
        let about =
            finding.about.map_or_else(|| container.name.to_string(), |about| format!("{}: {about}", container.name));
        Finding::about(finding.reason, about)
    });
    let mut warnings: Vec<Finding> = Vec::new();
    for finding in verdict.findings.iter().cloned().chain(settled) {
        let told = warnings.iter().any(|warning| warning.reason == finding.reason && warning.about == finding.about);
        let by_workload = verdict.findings.iter().any(|known| known.reason == finding.reason);
        let is_container_copy = by_workload && !verdict.findings.contains(&finding);
        if finding.reason.severity() == Severity::Warning && !told && !is_container_copy {
            warnings.push(finding);
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use epiphyte_plan::Manifest;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::index::Index;
    use crate::learn;
    use crate::settings::Settings;

    /// What is due for a marked Deployment beside the given `InstrumentedApplication`.
    fn due(annotations: Value, details: Option<Value>) -> DetailsDue {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "cart", "namespace": "shop", "uid": "1", "annotations": annotations },
            "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "cart:2" }] } } },
        });
        let mut index = Index::new(&Settings::default(), "odigos-system");
        for object in [Some(deployment.clone()), details].into_iter().flatten() {
            learn(&mut index, &object, Timestamp::UNIX_EPOCH).expect("it can be read");
        }
        let manifest: Manifest = serde_json::from_value(deployment).expect("a manifest");
        Due::of(&index, &manifest.into_workload(epiphyte_api::WorkloadKind::Deployment)).details
    }

    fn marked() -> Value {
        json!({ "odigos.io/instrument": "true" })
    }

    fn details(spec: Value) -> Option<Value> {
        Some(json!({
            "apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentedApplication",
            "metadata": {
                "name": "deployment-cart", "namespace": "shop",
                "ownerReferences": [{ "kind": "Deployment", "name": "cart", "uid": "1" }],
            },
            "spec": spec,
        }))
    }

    #[test]
    fn a_marked_workload_is_asked_about() {
        assert_eq!(due(marked(), None), DetailsDue::Ask);
        assert_eq!(due(json!({}), None), DetailsDue::Nothing);
    }

    #[test]
    fn details_go_with_the_mark() {
        assert_eq!(due(json!({}), details(json!({}))), DetailsDue::Delete);
    }

    #[test]
    fn another_image_is_asked_about_again() {
        let seen =
            |image: &str| json!({ "languages": [{ "containerName": "app", "language": "java", "image": image }] });
        assert_eq!(due(marked(), details(seen("cart:1"))), DetailsDue::AskAgain);
        assert_eq!(due(marked(), details(seen("cart:2"))), DetailsDue::Status);
        let asked = |image: &str| json!({ "request": [{ "containerName": "app", "image": image }] });
        assert_eq!(due(marked(), details(asked("cart:1"))), DetailsDue::AskAgain);
        assert_eq!(due(marked(), details(asked("cart:2"))), DetailsDue::Status);
    }

    #[test]
    fn details_written_by_hand_are_good_for_any_image() {
        let by_hand = json!({ "languages": [{ "containerName": "app", "language": "java" }] });
        assert_eq!(due(marked(), details(by_hand)), DetailsDue::Status);
    }
}
