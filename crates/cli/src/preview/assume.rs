//! `--assume NAME=LANGUAGE`: runtime details that no node agent has seen.

use std::str::FromStr;

use epiphyte_api::Language;
use epiphyte_operator::index::{Index, WorkloadKey};
use epiphyte_plan::Workload;
use serde_json::{Value, json};

/// That a container, or every container of a workload, runs a program in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assumption {
    /// Name of a container, of a workload, or `WORKLOAD/CONTAINER`.
    name: String,
    language: Language,
}

impl std::fmt::Display for Assumption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.name, self.language)
    }
}

impl FromStr for Assumption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, language)) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err("give NAME=LANGUAGE, such as app=java".to_owned());
        };
        match Language::from(language) {
            Language::Other(word) => {
                let known = Language::KNOWN.each_ref().map(Language::as_str).join(", ");
                Err(format!("{word:?} is not a language that node agents report; they are {known}"))
            }
            language => Ok(Self { name: name.to_owned(), language }),
        }
    }
}

/// The `InstrumentedApplication` that the assumptions make for a workload: `None` where details are there already, or no
/// assumption names it. Notes in `used` which assumptions do.
pub(crate) fn details(
    assumptions: &[Assumption],
    workload: &Workload,
    index: &Index,
    used: &mut [bool],
) -> Option<Value> {
    let named = |name: &str| assumptions.iter().position(|assumption| assumption.name == name);
    let mut languages = Vec::new();
    for container in &workload.pod.containers {
        // The most specific name counts.
        let both = format!("{}/{}", workload.name, container.name);
        let Some(position) = named(&both).or_else(|| named(&workload.name)).or_else(|| named(&container.name)) else {
            continue;
        };
        if let (Some(used), Some(assumption)) = (used.get_mut(position), assumptions.get(position)) {
            *used = true;
            languages.push(json!({ "containerName": &*container.name, "language": assumption.language }));
        }
    }
    let key = WorkloadKey::of(workload);
    let known = index.details(&key).is_some_and(|fact| !fact.details.pending);
    if languages.is_empty() || known {
        return None;
    }
    let object = key.details();
    Some(json!({
        "apiVersion": "odigos.io/v1alpha1",
        "kind": "InstrumentedApplication",
        "metadata": { "namespace": &*object.namespace, "name": &*object.name },
        "spec": { "languages": languages },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumption_names_a_known_language() {
        assert_eq!("shop/app=java".parse::<Assumption>().expect("valid").to_string(), "shop/app=java");
        assert!("app=cobol".parse::<Assumption>().expect_err("unknown").contains("javascript"));
        assert!("java".parse::<Assumption>().is_err());
        assert!("=java".parse::<Assumption>().is_err());
    }
}
