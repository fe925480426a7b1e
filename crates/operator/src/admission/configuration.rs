//! The object that makes the API server call the webhook, as the chart installs it and as we make it outside the cluster.

use epiphyte_api::WorkloadKind;
use epiphyte_api::names::{PART_OF, PART_OF_LABEL, SYSTEM_NAMESPACES};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};

use super::Options;

/// Name of the webhook in its configuration.
pub const WEBHOOK: &str = "instrument.epiphyte.dev";

/// The webhook configuration of that name, with a bundle of authorities in PEM.
pub fn configuration(name: &str, options: &Options, bundle: Option<&str>) -> MutatingWebhookConfiguration {
    let jobs = |kind: &WorkloadKind| *kind == WorkloadKind::Job;
    let not_jobs = |group: &'static str| move |kind: &WorkloadKind| !jobs(kind) && kind.group() == group;
    let webhook = MutatingWebhook {
        name: WEBHOOK.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: options.target.client_config(bundle),
        failure_policy: Some("Ignore".to_owned()),
        match_conditions: Some(match_conditions(options.service_account.as_deref())),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(not_in_system_namespaces(&options.namespace)),
        object_selector: Some(LabelSelector::default()),
        reinvocation_policy: Some("IfNeeded".to_owned()),
        rules: Some(vec![
            rule("apps", not_jobs("apps"), &["CREATE", "UPDATE"]),
            rule("batch", not_jobs("batch"), &["CREATE", "UPDATE"]),
            rule("batch", jobs, &["CREATE"]),
        ]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(5),
    };
    MutatingWebhookConfiguration {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(PART_OF_LABEL.to_owned(), PART_OF.to_owned())].into()),
            ..ObjectMeta::default()
        },
        webhooks: Some(vec![webhook]),
    }
}

fn rule(group: &str, is_meant: impl Fn(&WorkloadKind) -> bool, operations: &[&str]) -> RuleWithOperations {
    let owned = |text: &str| text.to_owned();
    RuleWithOperations {
        api_groups: Some(vec![group.to_owned()]),
        api_versions: Some(vec!["v1".to_owned()]),
        operations: Some(operations.iter().copied().map(owned).collect()),
        resources: Some(WorkloadKind::ALL.into_iter().filter(is_meant).map(WorkloadKind::plural).map(owned).collect()),
        scope: Some("Namespaced".to_owned()),
    }
}

fn not_in_system_namespaces(own: &str) -> LabelSelector {
    let system = SYSTEM_NAMESPACES.into_iter().chain((!SYSTEM_NAMESPACES.contains(&own)).then_some(own));
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: "kubernetes.io/metadata.name".to_owned(),
            operator: "NotIn".to_owned(),
            values: Some(system.map(str::to_owned).collect()),
        }]),
        match_labels: None,
    }
}

/// What we leave alone anyway need not be sent.
fn match_conditions(service_account: Option<&str>) -> Vec<MatchCondition> {
    let condition =
        |name: &str, expression: &str| MatchCondition { name: name.to_owned(), expression: expression.to_owned() };
    let not_us = service_account
        .map(|account| condition("not-epiphyte-itself", &format!("request.userInfo.username != '{account}'")));
    not_us
        .into_iter()
        .chain([
            condition(
                "no-controller",
                "!has(object.metadata.ownerReferences) || \
                 !object.metadata.ownerReferences.exists(owner, has(owner.controller) && owner.controller)",
            ),
            condition("not-being-deleted", "!has(object.metadata.deletionTimestamp)"),
        ])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admission::Target;

    #[test]
    fn the_webhook_is_called_for_what_may_be_instrumented_and_nothing_else() {
        let options = Options {
            target: Target::Service { namespace: "odigos-system".to_owned(), name: "epiphyte-webhook".to_owned() },
            namespace: "odigos-system".to_owned(),
            service_account: Some("system:serviceaccount:odigos-system:epiphyte".to_owned()),
        };
        let expected = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": "epiphyte", "labels": { "app.kubernetes.io/part-of": "epiphyte" } },
            "webhooks": [{
                "name": "instrument.epiphyte.dev",
                "admissionReviewVersions": ["v1"],
                "clientConfig": { "service": {
                    "name": "epiphyte-webhook", "namespace": "odigos-system", "path": "/mutate", "port": 443,
                } },
                "failurePolicy": "Ignore",
                "matchPolicy": "Equivalent",
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "objectSelector": {},
                "namespaceSelector": { "matchExpressions": [{
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": ["kube-system", "kube-public", "kube-node-lease", "odigos-system"],
                }] },
                "rules": [
                    {
                        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments", "daemonsets", "statefulsets", "replicasets"],
                        "scope": "Namespaced",
                    },
                    {
                        "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                        "resources": ["cronjobs"], "scope": "Namespaced",
                    },
                    {
                        "apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"],
                        "resources": ["jobs"], "scope": "Namespaced",
                    },
                ],
                "matchConditions": [
                    {
                        "name": "not-epiphyte-itself",
                        "expression": "request.userInfo.username != 'system:serviceaccount:odigos-system:epiphyte'",
                    },
                    {
                        "name": "no-controller",
                        "expression": "!has(object.metadata.ownerReferences) || \
                            !object.metadata.ownerReferences.exists(owner, has(owner.controller) && owner.controller)",
                    },
                    { "name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)" },
                ],
            }],
        });
        let made = serde_json::to_value(configuration("epiphyte", &options, None)).expect("it serialises");
        assert_eq!(made, expected);
    }

    #[test]
    fn the_manifests_have_the_same_webhook_which_passes_over_the_node_agent_too() {
        let options = Options {
            target: Target::Service { namespace: "epiphyte-system".to_owned(), name: "epiphyte-webhook".to_owned() },
            namespace: "epiphyte-system".to_owned(),
            service_account: Some("system:serviceaccount:epiphyte-system:epiphyte-operator".to_owned()),
        };
        let mut expected = json!(configuration("epiphyte", &options, None));
        let left_alone = expected.pointer_mut("/webhooks/0/namespaceSelector/matchExpressions/0/values").unwrap();
        left_alone.as_array_mut().unwrap().push(json!("epiphyte-node"));
        let manifests = include_str!("../../../../deploy/epiphyte.yaml");
        let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(manifests).unwrap();
        let kind = |object: &&serde_json::Value| object.get("kind") == expected.get("kind");
        assert_eq!(objects.iter().find(kind), Some(&expected));
    }
}
