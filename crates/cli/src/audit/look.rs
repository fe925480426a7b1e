//! Looks through a cluster for everything of ours.

use std::collections::{BTreeMap, HashMap};

use epiphyte_api::WorkloadKind;
use epiphyte_api::names::{LEASE, OPERATOR, UNINSTALLING_CONFIG_MAP, WEBHOOK_SECRET};
use epiphyte_operator::index::WorkloadKey;
use epiphyte_plan::Replacement;
use serde_json::Value;

use super::finding::{About, Audit, Finding, Severity};
use super::installed::{
    BESIDE, CONFIG_MAPS, DEFINITIONS, DEPLOYMENTS, DETAILS, GROUPS, LEASES, LUMIGOES, NAMESPACES, NODES, PODS,
    REVISIONS, RIGHTS, RUNNING, SECRETS, SOURCES, WEBHOOKS, has_our_webhook, is_helms, selector, text,
};
use super::object::{self, Definitions};
use super::ours::{parts, read_template};
use super::pod::Running;
use super::strangers::strangers;
use super::workload::{look, marks};
use crate::cluster::{Cluster, Refusal, Resource};
use crate::explain::resource;

/// Looks through a cluster. What may not be asked is noted; only an API server that cannot be asked at all is an error.
pub(crate) async fn audit(
    cluster: &Cluster,
    system_namespace: &str,
    definitions: Definitions,
) -> anyhow::Result<Audit> {
    let mut search = Search { cluster, findings: Vec::new(), not_looked_at: Vec::new() };
    let replacements = search.workloads().await?;
    search.pods(&replacements).await?;
    search.revisions().await?;
    search.resources().await?;
    search.installation(definitions).await?;
    search.own(system_namespace).await?;
    search.nodes().await?;
    Ok(Audit::of(search.findings, search.not_looked_at))
}

struct Search<'a> {
    cluster: &'a Cluster,
    findings: Vec<Finding>,
    not_looked_at: Vec<String>,
}

impl Search<'_> {
    /// What of an answer there is. A kind that is not served has no objects.
    fn noted<T>(&mut self, answer: Result<T, Refusal>) -> anyhow::Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Refusal::Unserved(_)) => Ok(None),
            Err(Refusal::Forbidden(why)) => {
                self.not_looked_at.push(why);
                Ok(None)
            }
            Err(Refusal::Fatal(error)) => Err(error),
        }
    }

    async fn list(
        &mut self,
        resource: &Resource,
        mut each: impl FnMut(Value) -> Option<Finding>,
    ) -> anyhow::Result<()> {
        let mut found = Vec::new();
        let listed = self.cluster.list(resource, None, None, |object: Value| found.extend(each(object))).await;
        self.findings.append(&mut found);
        self.noted(listed).map(drop)
    }

    async fn list_labelled(
        &mut self,
        resource: &Resource,
        mut each: impl FnMut(Value) -> Option<Finding>,
    ) -> anyhow::Result<()> {
        let mut found = Vec::new();
        let listed = self.cluster.list_labelled(resource, &selector(), |it: Value| found.extend(each(it))).await;
        self.findings.append(&mut found);
        self.noted(listed).map(drop)
    }

    /// Workloads and marks on namespaces; tells what replaces the pods of each workload.
    async fn workloads(&mut self) -> anyhow::Result<HashMap<WorkloadKey, Replacement>> {
        let mut replacements = HashMap::new();
        let mut revisions = Counts::new();
        for kind in WorkloadKind::ALL {
            let (mut found, mut unread) = (Vec::new(), Vec::new());
            let each = |object: Value| match look(kind, &object) {
                Ok(looked) => {
                    found.extend(looked.findings);
                    if looked.is_revision {
                        *revisions.entry(looked.workload.namespace.to_string()).or_default() += 1;
                    }
                    if !looked.workload.controlled {
                        replacements.insert(WorkloadKey::of(&looked.workload), looked.workload.replacement);
                    }
                }
                Err(error) => {
                    let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
                    unread.push(format!("{kind} {namespace}/{name}: it cannot be read: {error}"));
                }
            };
            let listed = self.cluster.list(&resource(kind), None, None, each).await;
            self.findings.append(&mut found);
            self.not_looked_at.append(&mut unread);
            self.noted(listed)?;
        }
        self.tell_history("ReplicaSet", revisions);
        let of_namespace = |namespace: Value| {
            let (marks, name) = (marks(&namespace), text(&namespace, "/metadata/name"));
            let about = About { kind: NAMESPACES.kind, namespace: "", name };
            let next = "a person wrote it, so it stays; without Epiphyte it does nothing";
            (!marks.is_empty()).then(|| about.information(marks, next))
        };
        self.list(&NAMESPACES, of_namespace).await?;
        Ok(replacements)
    }

    async fn pods(&mut self, replacements: &HashMap<WorkloadKey, Replacement>) -> anyhow::Result<()> {
        let finding = |pod: Value| {
            let running = Running::of(&pod)?;
            let replacement = running.owner.as_ref().and_then(|owner| replacements.get(owner)).copied();
            Some(running.finding(replacement))
        };
        self.list(&PODS, finding).await
    }

    async fn revisions(&mut self) -> anyhow::Result<()> {
        let mut revisions = Counts::new();
        let count = |revision: Value| {
            let template = revision.pointer("/data/spec/template").and_then(read_template);
            if template.is_some_and(|template| !parts(&template).is_empty()) {
                *revisions.entry(text(&revision, "/metadata/namespace").to_owned()).or_default() += 1;
            }
            None
        };
        self.list(&REVISIONS, count).await?;
        self.tell_history(REVISIONS.kind, revisions);
        Ok(())
    }

    fn tell_history(&mut self, kind: &str, revisions: Counts) {
        for (namespace, count) in revisions {
            let about = About { kind, namespace: &namespace, name: "*" };
            let what =
                format!("{count} old {} something of ours", if count == 1 { "revision has" } else { "revisions have" });
            let next = "Kubernetes keeps them for `kubectl rollout undo`, and drops them as new ones come";
            self.findings.push(about.information(what, next));
        }
    }

    async fn resources(&mut self) -> anyhow::Result<()> {
        self.list(&LUMIGOES, |it| Some(object::lumigo(&LUMIGOES, &it))).await?;
        self.list(&DETAILS, |it| Some(object::details(&DETAILS, &it))).await?;
        self.list(&SOURCES, |it| Some(object::source(&SOURCES, &it))).await?;
        self.list(&GROUPS, |it| Some(object::group(&GROUPS, &it))).await
    }

    async fn installation(&mut self, definitions: Definitions) -> anyhow::Result<()> {
        let ours = |it: Value| has_our_webhook(&it).then(|| object::installed(&WEBHOOKS, &it)).flatten();
        self.list(&WEBHOOKS, ours).await?;
        self.namespaces().await?;
        let all = RUNNING.iter().chain(&BESIDE).chain(&RIGHTS);
        for resource in all {
            // The mark is told of by itself.
            let is_mark = |it: &Value| text(it, "/metadata/name") == UNINSTALLING_CONFIG_MAP;
            let finding = |it: Value| (!is_mark(&it)).then(|| object::installed(resource, &it)).flatten();
            self.list_labelled(resource, finding).await?;
        }
        for crd in epiphyte_api::custom_resource_definitions() {
            let name = crd.metadata.name.unwrap_or_default();
            let found = self.cluster.get(&DEFINITIONS, None, &name).await;
            if let Some(found) = self.noted(found)?.flatten() {
                self.findings.push(object::definition(&DEFINITIONS, &found, definitions));
            }
        }
        Ok(())
    }

    /// Namespaces of ours. One in which others have something is not to go.
    async fn namespaces(&mut self) -> anyhow::Result<()> {
        let mut namespaces = Vec::new();
        let listed = self.cluster.list_labelled(&NAMESPACES, &selector(), |it: Value| namespaces.push(it)).await;
        self.noted(listed)?;
        for namespace in namespaces {
            let Some(found) = object::installed(&NAMESPACES, &namespace) else { continue };
            // What is there besides ours is of no interest while ours is there.
            let others = strangers(self.cluster, &found.name).await.unwrap_or_default();
            self.findings.push(match (found.severity, others.is_empty()) {
                (Severity::Leftover, false) => Finding {
                    severity: Severity::Information,
                    next: format!("it stays, since it holds what is not ours: {}", others.join(", ")),
                    ..found
                },
                _ => found,
            });
        }
        Ok(())
    }

    /// What operators make in the system namespace.
    async fn own(&mut self, namespace: &str) -> anyhow::Result<()> {
        for (resource, name) in [(&SECRETS, WEBHOOK_SECRET), (&LEASES, LEASE)] {
            let found = self.cluster.get(resource, Some(namespace), name).await;
            if let Some(found) = self.noted(found)?.flatten() {
                self.findings.push(object::own(resource, &found));
            }
        }
        let mark = self.cluster.get(&CONFIG_MAPS, Some(namespace), UNINSTALLING_CONFIG_MAP).await;
        if let Some(mark) = self.noted(mark)?.flatten() {
            let operator = self.cluster.get(&DEPLOYMENTS, Some(namespace), OPERATOR).await;
            let kept_by_helm = self.noted(operator)?.flatten().is_some_and(|operator| is_helms(&operator))
                && mark.pointer("/metadata/ownerReferences").is_some()
                && object::is_over(&mark);
            self.findings.push(object::mark(&CONFIG_MAPS, &mark, kept_by_helm));
        }
        Ok(())
    }

    async fn nodes(&mut self) -> anyhow::Result<()> {
        self.list(&NODES, |node| object::node(&NODES, &node)).await
    }
}

/// How many there are in each namespace.
type Counts = BTreeMap<String, usize>;
