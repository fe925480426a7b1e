//! Whether the webhook answers: a dry run of an object that only it would change.

use std::collections::BTreeSet;

use epiphyte_api::names::{
    AUTO_TRACE_LABEL, DELIVERY_ANNOTATION, INSTRUMENT_ANNOTATION, UNINSTALLING_CONFIG_MAP, auto_trace_version,
};
use epiphyte_api::{Diagnosis, WorkloadKind};
use epiphyte_operator::index::Index;
use epiphyte_operator::learn;
use epiphyte_plan::{Decision, Manifest, Part};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{CONFIG_MAPS, DEPLOYMENTS, LUMIGOES, NAMESPACES, WEBHOOKS, has_our_webhook, text};
use crate::cluster::Refusal;

/// What the names of the objects begin with. None is ever stored.
const PREFIX: &str = "epiphyte-doctor-";

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let cluster = patient.cluster;
    let mut called = false;
    cluster.list(&WEBHOOKS, None, None, |it: Value| called |= has_our_webhook(&it)).await?;
    if !called {
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, "nothing has the API server call the webhook")]);
    }
    let mark = cluster.get(&CONFIG_MAPS, Some(&patient.system), UNINSTALLING_CONFIG_MAP).await?;
    if mark.is_some() {
        let found = "Epiphyte is being uninstalled, and the webhook leaves everything as it is";
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, found)]);
    }
    let Some(namespace) = namespace(patient).await? else {
        let found = "there is no namespace in which the webhook would change something that nothing else does";
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, found)]);
    };
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All");
    let body = probe(&namespace).to_string().into_bytes();
    let answer = cluster.exchange(Method::POST, &path, "application/json", body).await.map_err(Refusal::Fatal)?;
    let said = answer.json();
    let finding = match answer.status {
        200 | 201 => {
            let (diagnosis, found) = judge(&said);
            Finding::of(diagnosis, format!("{found} namespace {namespace}"))
        }
        status => {
            let found =
                format!("the dry run in namespace {namespace} was answered by {status}: {}", text(&said, "/message"));
            Finding::of(Diagnosis::NotTold, found)
        }
    };
    Ok(vec![finding])
}

/// A Deployment without pods that is marked for injection, by an annotation that no other system knows.
fn probe(namespace: &str) -> Value {
    let labels = json!({ "app.kubernetes.io/name": "epiphyte-doctor" });
    let security = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 65532,
        "capabilities": { "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" },
    });
    json!({
        "apiVersion": "apps/v1", "kind": DEPLOYMENTS.kind,
        "metadata": {
            "generateName": PREFIX, "namespace": namespace,
            "annotations": { INSTRUMENT_ANNOTATION: "true", DELIVERY_ANNOTATION: "injector" },
        },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "probe", "image": "probe", "securityContext": security }] },
            },
        },
    })
}

/// What came back.
fn judge(object: &Value) -> (Diagnosis, String) {
    let injected = Manifest::deserialize(object)
        .is_ok_and(|it| it.into_workload(WorkloadKind::Deployment).pod.volume == Part::Ours);
    let labels = object.pointer("/spec/template/metadata/labels");
    let version = labels.and_then(|it| it.get(AUTO_TRACE_LABEL)?.as_str()).unwrap_or_default();
    let ours = auto_trace_version(env!("CARGO_PKG_VERSION"));
    match (injected, version == ours) {
        (false, _) => (Diagnosis::AdmissionSilent, "it was not injected in".to_owned()),
        (true, false) => {
            (Diagnosis::AdmissionOfOtherVersion, format!("it was injected by {version}, not by {ours}, in"))
        }
        (true, true) => (Diagnosis::AdmissionAnswers, format!("it was injected by {version} in")),
    }
}

/// A namespace in which our webhook injects a marked object, by the operator's own engine, and nobody else would: none with
/// a Lumigo.
async fn namespace(patient: &Patient<'_>) -> Result<Option<String>, Refusal> {
    let mut index = Index::new(&patient.settings().await?, &patient.system);
    let mut namespaces = BTreeSet::new();
    let each = |mut it: Value| {
        if text(&it, "/status/phase") == "Terminating" {
            return;
        }
        namespaces.insert(text(&it, "/metadata/name").to_owned());
        it["apiVersion"] = "v1".into();
        it["kind"] = NAMESPACES.kind.into();
        // What it does not understand says nothing.
        let _ = learn(&mut index, &it, Timestamp::now());
    };
    patient.cluster.list(&NAMESPACES, None, None, each).await?;
    let has_lumigo = |it: Value| {
        namespaces.remove(text(&it, "/metadata/namespace"));
    };
    match patient.cluster.list(&LUMIGOES, None, None, has_lumigo).await {
        Ok(()) | Err(Refusal::Unserved(_)) => {}
        Err(refusal) => return Err(refusal),
    }
    let is_injected = |namespace: &String| {
        let Ok(manifest) = Manifest::deserialize(probe(namespace)) else { return false };
        let workload = manifest.into_workload(WorkloadKind::Deployment);
        let verdict = index.plan(&workload, None);
        verdict.containers.iter().any(|it| matches!(it.decision, Decision::On(_)))
    };
    let usual = namespaces.take("default");
    Ok(usual.into_iter().chain(namespaces).find(is_injected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came_back(change: impl FnOnce(&mut Value)) -> Diagnosis {
        let mut object = probe("default");
        change(&mut object);
        judge(&object).0
    }

    fn injected(object: &mut Value, version: &str) {
        let template = &mut object["spec"]["template"];
        template["metadata"]["labels"][AUTO_TRACE_LABEL] = version.into();
        let mount = json!([{ "name": "lumigo-injector", "mountPath": "/opt/lumigo", "readOnly": true }]);
        template["spec"]["containers"][0]["volumeMounts"] = mount;
        template["spec"]["volumes"] = json!([{ "name": "lumigo-injector", "emptyDir": {} }]);
    }

    #[test]
    fn what_comes_back_as_it_was_sent_has_seen_no_webhook() {
        assert_eq!(came_back(|_| {}), Diagnosis::AdmissionSilent);
    }

    #[test]
    fn what_comes_back_injected_says_by_which_version() {
        let ours = auto_trace_version(env!("CARGO_PKG_VERSION"));
        assert_eq!(came_back(|object| injected(object, &ours)), Diagnosis::AdmissionAnswers);
        let other = came_back(|object| injected(object, "lumigo-operator.v99"));
        assert_eq!(other, Diagnosis::AdmissionOfOtherVersion);
    }
}
