//! Whether the CustomResourceDefinitions are there, and those of this version.

use epiphyte_api::{Diagnosis, custom_resource_definitions};
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{DEFINITIONS, text};

/// What is named of all that is missing.
const NAMED: usize = 5;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let mut findings = Vec::new();
    let wanted = custom_resource_definitions();
    for definition in &wanted {
        let name = definition.metadata.name.as_deref().unwrap_or_default();
        let wanted = serde_json::to_value(&definition.spec).unwrap_or_default();
        let about = |diagnosis, found: String| Finding::of(diagnosis, found).about(DEFINITIONS.kind, "", name);
        match patient.cluster.get(&DEFINITIONS, None, name).await? {
            None => findings.push(about(Diagnosis::DefinitionMissing, String::new())),
            Some(found) => findings.extend(judge(&wanted, &found).map(|(diagnosis, what)| about(diagnosis, what))),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::DefinitionsCurrent, format!("{} definitions", wanted.len())));
    }
    Ok(findings)
}

/// What is wrong with a definition that is there; nothing if it is the wanted one.
fn judge(wanted: &Value, found: &Value) -> Option<(Diagnosis, String)> {
    let conditions = found.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    if let Some(condition) =
        conditions.filter(|it| text(it, "/type") == "Established").find(|it| text(it, "/status") != "True")
    {
        return Some((Diagnosis::DefinitionNotEstablished, text(condition, "/message").to_owned()));
    }
    let mut lacks = Vec::new();
    let mut differs = false;
    for version in versions(wanted) {
        let name = text(version, "/name");
        let there = versions(found.get("spec")?).find(|it| text(it, "/name") == name);
        let Some(there) = there.filter(|it| it.get("served") == Some(&Value::Bool(true))) else {
            lacks.push(format!("version {name}"));
            continue;
        };
        let (wanted, there) = (properties(version), properties(there));
        lacks.extend(wanted.iter().filter(|it| !there.contains(it)).cloned());
        differs |=
            version.get("schema") != versions(found.get("spec")?).find(|it| text(it, "/name") == name)?.get("schema");
    }
    lacks.sort();
    lacks.dedup();
    let more = lacks.len().saturating_sub(NAMED);
    lacks.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match (lacks.is_empty(), differs) {
        (false, _) => Some((Diagnosis::DefinitionOutdated, format!("it lacks {}{more}", lacks.join(", ")))),
        (true, true) => Some((Diagnosis::DefinitionDiffers, "its schema is another".to_owned())),
        (true, false) => None,
    }
}

fn versions(spec: &Value) -> impl Iterator<Item = &Value> {
    spec.get("versions").and_then(Value::as_array).into_iter().flatten()
}

/// The paths of everything that a version's schema lets through.
fn properties(version: &Value) -> Vec<String> {
    fn walk(schema: &Value, path: &str, paths: &mut Vec<String>) {
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{name}");
            walk(schema, &path, paths);
            paths.push(path);
        }
        for below in ["items", "additionalProperties"] {
            if let Some(schema) = schema.get(below) {
                walk(schema, path, paths);
            }
        }
    }
    let mut paths = Vec::new();
    if let Some(schema) = version.pointer("/schema/openAPIV3Schema") {
        walk(schema, "", &mut paths);
    }
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The definition of Lumigoes, with something done to it.
    fn lumigoes(change: impl FnOnce(&mut Value)) -> Option<Diagnosis> {
        let all = custom_resource_definitions();
        let wanted = all.iter().find(|it| it.spec.names.plural == "lumigoes").expect("it is defined");
        let wanted = serde_json::to_value(&wanted.spec).expect("JSON");
        let mut found = json!({ "spec": wanted });
        change(&mut found);
        judge(&wanted, &found).map(|(diagnosis, _)| diagnosis)
    }

    #[test]
    fn the_definition_of_this_version_is_well() {
        assert_eq!(lumigoes(|_| {}), None);
    }

    #[test]
    fn a_definition_that_drops_what_we_have_is_outdated_and_one_with_more_is_another() {
        let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        let without = |found: &mut Value| {
            found.pointer_mut(schema).and_then(Value::as_object_mut).expect("properties").remove("logging");
        };
        assert_eq!(lumigoes(without), Some(Diagnosis::DefinitionOutdated));
        let with =
            |found: &mut Value| found.pointer_mut(schema).expect("properties")["more"] = json!({ "type": "string" });
        assert_eq!(lumigoes(with), Some(Diagnosis::DefinitionDiffers));
        let unserved = |found: &mut Value| found["spec"]["versions"][1]["served"] = json!(false);
        assert_eq!(lumigoes(unserved), Some(Diagnosis::DefinitionOutdated));
    }

    #[test]
    fn a_definition_that_the_api_server_refuses_says_so() {
        let refused = |found: &mut Value| {
            found["status"]["conditions"] =
                json!([{ "type": "Established", "status": "False", "message": "conflict" }]);
        };
        assert_eq!(lumigoes(refused), Some(Diagnosis::DefinitionNotEstablished));
    }
}
