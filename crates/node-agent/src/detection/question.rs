//! What the operator asks: an `InstrumentedApplication` whose answer is awaited.

use epiphyte_api::names::{DETECT_LABEL, DETECT_PENDING};
use epiphyte_api::{ContainerRequest, WorkloadKind};
use epiphyte_daemon::{Named, ObjectKey, Served, Watched};
use serde::Deserialize;
use serde_json::Value;

/// An `InstrumentedApplication`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) key: ObjectKey,
    pub(crate) version: Box<str>,
    /// Whether an answer is awaited.
    pub(crate) pending: bool,
    /// The workload that is asked about, by the object's owner, else by its name.
    pub(crate) workload: Option<(WorkloadKind, Box<str>)>,
    /// The containers and their images.
    pub(crate) request: Vec<ContainerRequest>,
    /// Entries that are there already, as they are: they may have members that this build does not know.
    pub(crate) languages: Vec<Value>,
}

/// What of an `InstrumentedApplication` is read.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Box<str>,
    namespace: Box<str>,
    resource_version: Box<str>,
    labels: Option<Labels>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Labels {
    // The name has to stand here as a literal; a test compares it.
    #[serde(rename = "epiphyte.dev/detect")]
    detect: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Owner {
    kind: Box<str>,
    name: Box<str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    request: Vec<ContainerRequest>,
    languages: Vec<Value>,
}

impl Named for Manifest {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Watched for Question {
    const SERVED: Served = Served {
        group: "odigos.io",
        version: "v1alpha1",
        kind: "InstrumentedApplication",
        plural: "instrumentedapplications",
    };
    const GUARDED: bool = true;
    type Manifest = Manifest;

    fn read(Manifest { metadata, spec }: Manifest) -> Self {
        let owner = metadata.owner_references.into_iter().find_map(|owner| {
            Some((WorkloadKind::ALL.into_iter().find(|kind| kind.as_str() == &*owner.kind)?, owner.name))
        });
        let named = || {
            let (kind, name) = metadata.name.split_once('-')?;
            Some((kind.parse().ok()?, name.into()))
        };
        Self {
            workload: owner.or_else(named),
            pending: metadata.labels.and_then(|labels| labels.detect).as_deref() == Some(DETECT_PENDING),
            key: ObjectKey { namespace: metadata.namespace, name: metadata.name },
            version: metadata.resource_version,
            request: spec.request,
            languages: spec.languages,
        }
    }
}

impl Question {
    /// The label selector of objects whose answer is awaited.
    pub(crate) fn selector() -> String {
        format!("{DETECT_LABEL}={DETECT_PENDING}")
    }

    /// The entry of a container that was answered before and still holds: what was seen is replaced for another image only.
    pub(crate) fn answered(&self, asked: &ContainerRequest) -> Option<&Value> {
        self.languages.iter().find(|entry| {
            let text = |member: &str| entry.get(member).and_then(Value::as_str);
            text("containerName") == Some(&asked.container_name)
                && text("image").is_none_or(|image| image == asked.image)
        })
    }

    /// The containers that are still to be looked at.
    pub(crate) fn open(&self) -> impl Iterator<Item = &ContainerRequest> {
        self.request.iter().filter(|asked| self.answered(asked).is_none())
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::WorkloadKind;
    use epiphyte_api::names::DETECT_LABEL;
    use epiphyte_daemon::Watched as _;
    use serde_json::json;

    use super::Question;

    #[test]
    fn a_question_names_its_workload_and_what_is_still_open() {
        let object = json!({
            "metadata": {
                "name": "deployment-shop", "namespace": "market", "resourceVersion": "3",
                "labels": { DETECT_LABEL: "pending" },
                "ownerReferences": [{ "kind": "Deployment", "name": "shop", "uid": "u" }],
            },
            "spec": {
                "request": [
                    { "containerName": "app", "image": "shop:2" }, { "containerName": "side", "image": "side:1" },
                ],
                "languages": [
                    { "containerName": "app", "language": "java", "image": "shop:1" },
                    { "containerName": "side", "language": "go", "image": "side:1", "of": "the future" },
                ],
            },
        });
        let question = Question::read(serde_json::from_value(object).unwrap());
        assert!(question.pending);
        assert_eq!(question.workload, Some((WorkloadKind::Deployment, "shop".into())));
        assert_eq!(question.open().map(|asked| asked.container_name.as_str()).collect::<Vec<_>>(), ["app"]);
    }

    #[test]
    fn an_object_without_an_owner_is_about_the_workload_of_its_name() {
        let object =
            json!({ "metadata": { "name": "cronjob-nightly-report", "namespace": "a", "resourceVersion": "1" } });
        let question = Question::read(serde_json::from_value(object).unwrap());
        assert_eq!(question.workload, Some((WorkloadKind::CronJob, "nightly-report".into())));
        assert!(!question.pending);
    }
}
