//! Whether every Lumigo is active.

use epiphyte_api::Diagnosis;
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::LUMIGOES;
use crate::show::LumigoReport;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let mut lumigoes = Vec::new();
    patient.cluster.list(&LUMIGOES, None, None, |it: Value| lumigoes.push(LumigoReport::of(&it))).await?;
    let idle = lumigoes.iter().filter(|it| !it.active);
    let mut findings: Vec<Finding> = idle
        .map(|it| {
            let found = format!("{}: {}", it.reason, it.message);
            Finding::of(Diagnosis::LumigoNotActive, found).about(LUMIGOES.kind, &it.namespace, &it.name)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::LumigoesActive, format!("{} Lumigoes", lumigoes.len())));
    }
    Ok(findings)
}
