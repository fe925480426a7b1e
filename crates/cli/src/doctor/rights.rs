//! Whether the accounts of the operator and of the node agent have the rights that they need. The table is that of
//! `docs/reference/permissions.md`, and a test compares it with the manifests.

use std::collections::BTreeMap;

use epiphyte_api::Diagnosis;
use epiphyte_api::names::{LEASE, TELEMETRY_PROXY, UNINSTALLING_CONFIG_MAP, WEBHOOK_SECRET};
use futures::StreamExt as _;
use http::Method;
use serde_json::{Value, json};

use super::nodes::node_agents;
use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::text;
use crate::cluster::Refusal;

/// Questions that are asked at the same time.
const CONCURRENCY: usize = 10;

/// Whose right it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// The operator's account, which the telemetry proxy beside it has too.
    Operator,
    NodeAgent,
}

/// Where it is a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Everywhere,
    SystemNamespace,
}

/// A right that an account needs.
#[derive(Clone, Copy, Debug)]
struct Right {
    who: Who,
    place: Place,
    group: &'static str,
    resources: &'static [&'static str],
    /// The one object that it is about; empty for all.
    name: &'static str,
    verbs: &'static [&'static str],
}

const fn right(
    who: Who,
    place: Place,
    group: &'static str,
    resources: &'static [&'static str],
    name: &'static str,
    verbs: &'static [&'static str],
) -> Right {
    Right { who, place, group, resources, name, verbs }
}

/// All rights, as the manifests grant them.
const RIGHTS: &[Right] = {
    use Place::{Everywhere, SystemNamespace};
    use Who::{NodeAgent, Operator};
    const KEEP: &[&str] = &["get", "list", "watch", "patch"];
    const WATCH: &[&str] = &["list", "watch"];
    &[
        right(Operator, Everywhere, "apps", &["deployments", "daemonsets", "statefulsets", "replicasets"], "", KEEP),
        right(Operator, Everywhere, "batch", &["cronjobs"], "", KEEP),
        right(Operator, Everywhere, "batch", &["jobs"], "", WATCH),
        right(Operator, Everywhere, "", &["namespaces", "nodes"], "", WATCH),
        right(Operator, Everywhere, "odigos.io", &["sources"], "", WATCH),
        right(
            Operator,
            Everywhere,
            "odigos.io",
            &["instrumentedapplications"],
            "",
            &["get", "list", "watch", "create", "patch", "delete"],
        ),
        right(Operator, Everywhere, "odigos.io", &["instrumentedapplications/status"], "", &["patch"]),
        right(Operator, Everywhere, "operator.lumigo.io", &["lumigoes"], "", KEEP),
        right(Operator, Everywhere, "operator.lumigo.io", &["lumigoes/status"], "", &["patch"]),
        right(Operator, Everywhere, "", &["secrets"], "", &["get"]),
        right(Operator, Everywhere, "", &["events"], "", &["create"]),
        right(
            Operator,
            Everywhere,
            "admissionregistration.k8s.io",
            &["mutatingwebhookconfigurations"],
            "epiphyte",
            &["get", "patch"],
        ),
        right(Operator, SystemNamespace, "odigos.io", &["collectorsgroups"], "", WATCH),
        right(
            Operator,
            SystemNamespace,
            "odigos.io",
            &["collectorsgroups"],
            TELEMETRY_PROXY,
            &["get", "create", "patch"],
        ),
        right(Operator, SystemNamespace, "odigos.io", &["collectorsgroups/status"], TELEMETRY_PROXY, &["patch"]),
        right(Operator, SystemNamespace, "discovery.k8s.io", &["endpointslices"], "", WATCH),
        right(Operator, SystemNamespace, "", &["configmaps"], UNINSTALLING_CONFIG_MAP, WATCH),
        right(Operator, SystemNamespace, "coordination.k8s.io", &["leases"], "", &["create"]),
        right(Operator, SystemNamespace, "coordination.k8s.io", &["leases"], LEASE, &["get", "patch"]),
        right(Operator, SystemNamespace, "", &["secrets"], "", &["create"]),
        right(Operator, SystemNamespace, "", &["secrets"], WEBHOOK_SECRET, &["get", "patch"]),
        right(Operator, Everywhere, "", &["pods", "events"], "", WATCH),
        right(Operator, Everywhere, "", &["namespaces"], "kube-system", WATCH),
        right(Operator, Everywhere, "apps", &["replicasets"], "", WATCH),
        right(Operator, Everywhere, "batch", &["jobs"], "", WATCH),
        right(NodeAgent, Everywhere, "", &["pods"], "", WATCH),
        right(NodeAgent, Everywhere, "odigos.io", &["instrumentedapplications"], "", KEEP),
        right(NodeAgent, Everywhere, "odigos.io", &["sources"], "", &["list"]),
        right(NodeAgent, SystemNamespace, "", &["configmaps"], UNINSTALLING_CONFIG_MAP, KEEP),
    ]
};

/// One question: whether an account may do one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    who: Who,
    place: Place,
    group: &'static str,
    resource: &'static str,
    name: &'static str,
    verb: &'static str,
}

/// An account.
struct Account {
    namespace: String,
    name: String,
}

fn questions() -> impl Iterator<Item = Question> {
    RIGHTS.iter().flat_map(|it| {
        let Right { who, place, group, name, .. } = *it;
        it.resources.iter().flat_map(move |resource| {
            it.verbs.iter().map(move |verb| Question { who, place, group, resource, name, verb })
        })
    })
}

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let account = |object: &Value| {
        let name = text(object, "/spec/template/spec/serviceAccountName");
        let namespace = text(object, "/metadata/namespace").to_owned();
        Account { namespace, name: if name.is_empty() { "default".to_owned() } else { name.to_owned() } }
    };
    let operator = patient.operator().map(account);
    let agent = node_agents(patient).await?.first().map(account);
    let of = |who: Who| if who == Who::Operator { operator.as_ref() } else { agent.as_ref() };
    let asked: Vec<(Question, &Account)> =
        questions().filter_map(|it| Some((of(it.who)?, it))).map(|(a, q)| (q, a)).collect();
    if asked.is_empty() {
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, "there is neither an operator nor a node agent")]);
    }
    let count = asked.len();
    let answers: Vec<Result<Option<(Question, &Account)>, Refusal>> = futures::stream::iter(asked)
        .map(|(question, account)| async move {
            let granted = is_granted(patient, &question, account).await?;
            Ok((!granted).then_some((question, account)))
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    // The verbs of an account on one thing make one finding.
    let mut missing: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for answer in answers {
        if let Some((question, account)) = answer? {
            let user = (format!("{}/{}", account.namespace, account.name), thing(&question, patient));
            missing.entry(user).or_default().push(question.verb);
        }
    }
    if missing.is_empty() {
        return Ok(vec![Finding::of(Diagnosis::RightsGranted, format!("{count} rights"))]);
    }
    Ok(missing
        .into_iter()
        .map(|((account, thing), mut verbs)| {
            verbs.sort_unstable();
            verbs.dedup();
            let (namespace, name) = account.split_once('/').unwrap_or_default();
            let found = format!("it may not {} {thing}", verbs.join(", "));
            Finding::of(Diagnosis::RightMissing, found).about("ServiceAccount", namespace, name)
        })
        .collect())
}

/// What a question is about, in words.
fn thing(question: &Question, patient: &Patient<'_>) -> String {
    let Question { place, group, resource, name, .. } = question;
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    let place = match place {
        Place::Everywhere => "everywhere".to_owned(),
        Place::SystemNamespace => format!("in {}", patient.system),
    };
    format!("{resource}{group}{name} {place}")
}

/// Asks the API server whether an account may do something.
async fn is_granted(patient: &Patient<'_>, question: &Question, account: &Account) -> Result<bool, Refusal> {
    let Question { place, group, resource, name, verb, .. } = question;
    let Account { namespace, name: user } = account;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let place = match place {
        Place::Everywhere => "",
        Place::SystemNamespace => &patient.system,
    };
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{namespace}:{user}"),
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
            "resourceAttributes": {
                "namespace": place, "verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name,
            },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let body = review.to_string().into_bytes();
    let answer =
        patient.cluster.exchange(Method::POST, path, "application/json", body).await.map_err(Refusal::Fatal)?;
    match answer.status {
        200 | 201 => Ok(answer.json().pointer("/status/allowed") == Some(&Value::Bool(true))),
        403 => Err(Refusal::Forbidden(
            "not allowed to ask what others may do: grant the verb create on subjectaccessreviews.authorization.k8s.io"
                .to_owned(),
        )),
        status => Err(Refusal::Fatal(anyhow::anyhow!("the API server answers a SubjectAccessReview by {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize as _;

    use super::*;

    type Row = (Who, Place, String, String, String, String);

    /// What the manifests grant.
    fn granted() -> BTreeSet<Row> {
        let manifests = include_str!("../../../../deploy/epiphyte.yaml");
        let objects: Vec<Value> =
            yaml_serde::Deserializer::from_str(manifests).map(|it| Value::deserialize(it).expect("YAML")).collect();
        let mut rows = BTreeSet::new();
        for role in objects.iter().filter(|it| ["Role", "ClusterRole"].contains(&text(it, "/kind"))) {
            let place = if text(role, "/kind") == "Role" { Place::SystemNamespace } else { Place::Everywhere };
            let who =
                if text(role, "/metadata/name") == "epiphyte-node-agent" { Who::NodeAgent } else { Who::Operator };
            for rule in role["rules"].as_array().expect("rules") {
                let list = |key: &str| -> Vec<String> {
                    let texts = rule.get(key).and_then(Value::as_array).into_iter().flatten();
                    texts.map(|it| it.as_str().expect("text").to_owned()).collect()
                };
                let names =
                    if rule.get("resourceNames").is_some() { list("resourceNames") } else { vec![String::new()] };
                for group in list("apiGroups") {
                    for resource in list("resources") {
                        for name in &names {
                            for verb in list("verbs") {
                                rows.insert((who, place, group.clone(), resource.clone(), name.clone(), verb));
                            }
                        }
                    }
                }
            }
        }
        rows
    }

    #[test]
    fn the_table_is_what_the_manifests_grant() {
        let table: BTreeSet<Row> = questions()
            .map(|it| (it.who, it.place, it.group.into(), it.resource.into(), it.name.into(), it.verb.into()))
            .collect();
        let granted = granted();
        assert!(granted.len() > 50);
        assert_eq!(table.difference(&granted).collect::<Vec<_>>(), Vec::<&Row>::new(), "not granted");
        assert_eq!(granted.difference(&table).collect::<Vec<_>>(), Vec::<&Row>::new(), "not in the table");
    }
}
