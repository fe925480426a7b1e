//! What the next change of a pod template brings along: parts of ours that would be written otherwise today.

use epiphyte_api::{Reason, names};
use epiphyte_operator::index::Index;
use epiphyte_plan::{Container, Decision, Finding, Replacement};
use epiphyte_surgery::{operate, restore};
use serde_json::Value;

use super::Seen;

impl Seen {
    /// What would be written otherwise today into a workload that is as its verdict says; `None` if nothing. Takes
    /// everything off in a copy and puts it on again. What is compared has a name of its own and is stored as it is sent;
    /// to the rest the API server adds its defaults.
    pub(crate) fn renewal(&self, index: &Index) -> anyhow::Result<Option<Finding>> {
        let workload = &self.workload;
        let verdict = self.plan(index);
        if workload.replacement == Replacement::Immutable || verdict.differs_from(workload) {
            return Ok(None);
        }
        let stays_on = |container: &&Container| {
            container.is_ours() && matches!(verdict.decision(&container.name), Decision::On(_))
        };
        let on: Vec<&Container> = workload.pod.containers.iter().filter(stays_on).collect();
        let mut anew = self.object.clone();
        restore(workload.kind, &mut anew)?;
        operate(workload.kind, &mut anew, &verdict, &index.rendering(workload))?;
        let pointer = workload.kind.template_pointer();
        let [now, anew] = [&self.object, &anew].map(|object| parts(object.pointer(pointer), &on));
        let differ = now.iter().zip(&anew).filter(|(now, anew)| now != anew).map(|((name, _), _)| *name);
        let mut names: Vec<&str> = Vec::new();
        for name in differ {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok((!names.is_empty()).then(|| Finding::about(Reason::AwaitingTemplateChange, names.join(", "))))
    }
}

/// What is ours in a template by name: the variables of its containers, the image of the agents, the version.
fn parts<'a>(template: Option<&'a Value>, containers: &[&Container]) -> Vec<(&'static str, Option<&'a Value>)> {
    let get = |pointer: &str| template?.pointer(pointer);
    let named = |list: Option<&'a Value>, name: &str| {
        list?.as_array()?.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(name))
    };
    let variables = containers.iter().flat_map(|container| {
        let list = named(get("/spec/containers"), &container.name).and_then(|container| container.get("env"));
        names::INJECTOR_VARIABLES.map(|name| (name, named(list, name)))
    });
    let mut parts: Vec<_> = variables.collect();
    if containers.iter().any(|container| container.injected) {
        let image = named(get("/spec/initContainers"), names::INJECTOR_NAME).and_then(|it| it.get("image"));
        let version = get("/metadata/labels").and_then(|labels| labels.get(names::AUTO_TRACE_LABEL));
        parts.extend([("image of the agents", image), ("version", version)]);
    }
    parts
}
