//! What the tests play: tenants with their Secrets and Lumigoes, and what they look at.

use serde_json::{Value, json};

use crate::SHARED;
use crate::support::*;

/// What stands in a Secret that holds no token. Nobody may repeat it either.
pub const NO_TOKEN: &str = "hunter2-of-a-tenant";

/// A token that no other number has.
pub fn token(number: u64) -> String {
    format!("t_{number:021x}")
}

/// Runs a test on the shared cluster. Whatever it was about, afterwards no token may be anywhere that many people can look.
pub fn run(test: impl AsyncFnOnce(&Cluster)) {
    SHARED.run(test);
    let operator = SHARED.operator();
    let metrics = operator.admin("/metrics").map(|(_, text)| text).expect("metrics are served");
    let (events, lumigoes) = SHARED.block_on(async |cluster| {
        let everywhere = "";
        let events = cluster.list("v1", "events", everywhere).await;
        (events, cluster.list("operator.lumigo.io/v1", "lumigoes", everywhere).await)
    });
    let log = operator.log();
    assert!(log.contains("the operator runs"), "there is a log to look into");
    let places = [
        ("the log", log),
        ("the metrics", metrics),
        ("an Event", json!(events).to_string()),
        ("a Lumigo", json!(lumigoes).to_string()),
    ];
    for (place, text) in places {
        assert_eq!(given_away(&text), None, "{place} gives a secret away");
    }
}

/// A token, or what stood in its place, that is in a text.
pub fn given_away(text: &str) -> Option<&str> {
    let is_token = |from: &usize| {
        let digits = text.as_bytes().get(from + 2..from + 23);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let token =
        text.match_indices("t_").map(|(from, _)| from).find(is_token).and_then(|from| text.get(from..from + 23));
    token.or_else(|| text.contains(NO_TOKEN).then_some(NO_TOKEN))
}

/// A Lumigo of a name, with changes laid over its specification.
pub fn lumigo_that(namespace: &str, name: &str, specification: &Value) -> Value {
    let mut object = lumigo_object(namespace, name);
    json_patch::merge(&mut object["spec"], specification);
    object
}

/// The reference to a Lumigo.
pub fn lumigo<'a>(namespace: &'a str, name: &'a str) -> Object<'a> {
    Object { api_version: "operator.lumigo.io/v1", plural: "lumigoes", namespace, name }
}

/// Puts a Secret with a token and an active Lumigo into a new namespace, with changes laid over its specification.
pub async fn tenant(cluster: &Cluster, namespace: &str, specification: &Value) {
    cluster.namespace(namespace, None).await;
    admit(cluster, namespace, specification).await;
}

/// The same in a namespace that is there.
pub async fn admit(cluster: &Cluster, namespace: &str, specification: &Value) {
    cluster.apply(&token_secret(namespace, TOKEN)).await;
    cluster.apply(&lumigo_that(namespace, "lumigo", specification)).await;
    until_active(cluster, namespace, "lumigo").await;
}

/// Changes the specification of a Lumigo.
pub async fn change(cluster: &Cluster, namespace: &str, specification: &Value) {
    cluster.merge(&lumigo(namespace, "lumigo"), "", &json!({ "spec": specification })).await;
}

/// Waits until a Lumigo is active and in no error.
pub async fn until_active(cluster: &Cluster, namespace: &str, name: &str) {
    until(&format!("the Lumigo {namespace}/{name} is active"), || async {
        let active = cluster.lumigo_condition(namespace, name, "Active").await;
        let error = cluster.lumigo_condition(namespace, name, "Error").await;
        active.is_some_and(|(status, _)| status == "True") && error.is_none_or(|(status, _)| status == "False")
    })
    .await;
}

/// Waits until a Lumigo is in error and says so with these words.
pub async fn until_error(cluster: &Cluster, namespace: &str, name: &str, words: &str) {
    until(&format!("the Lumigo {namespace}/{name} says {words:?}"), || async {
        let error = cluster.lumigo_condition(namespace, name, "Error").await;
        error.is_some_and(|(status, message)| status == "True" && message.contains(words))
    })
    .await;
    let active = cluster.lumigo_condition(namespace, name, "Active").await;
    assert!(active.is_none_or(|(status, _)| status == "False"), "{namespace}/{name} is active and in error");
}

/// Deletes a Lumigo and waits until it is gone.
pub async fn delete_lumigo(cluster: &Cluster, namespace: &str) {
    cluster.delete(&lumigo(namespace, "lumigo")).await;
    until_gone(cluster, namespace, "lumigo").await;
}

/// Waits until a Lumigo is gone.
pub async fn until_gone(cluster: &Cluster, namespace: &str, name: &str) {
    until(&format!("the Lumigo {namespace}/{name} is gone"), || async {
        cluster.get("operator.lumigo.io/v1", "lumigoes", namespace, name).await.is_none()
    })
    .await;
}

/// The workloads that a Lumigo lists as injected, as `Kind/name`.
pub async fn listed(cluster: &Cluster, namespace: &str, name: &str) -> Vec<String> {
    let object = cluster.get("operator.lumigo.io/v1", "lumigoes", namespace, name).await.expect("the Lumigo");
    let list = object.pointer("/status/instrumentedResources").and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter()
        .map(|it| format!("{}/{}", it["kind"].as_str().expect("a kind"), it["name"].as_str().expect("a name")))
        .collect()
}

/// Waits until a Lumigo lists exactly these.
pub async fn until_listed(cluster: &Cluster, namespace: &str, wanted: &[&str]) {
    until(&format!("the Lumigo of {namespace} lists {wanted:?}"), || async {
        listed(cluster, namespace, "lumigo").await == wanted
    })
    .await;
}

/// What the namespaces file of an operator says of a namespace.
pub fn monitored(operator: &Operator, namespace: &str) -> Option<Value> {
    let text = operator.proxy_file("namespaces_to_monitor.json")?;
    let list: Vec<Value> = serde_json::from_str(&text).expect("the file is JSON at every moment");
    list.into_iter().find(|it| it["name"] == namespace)
}

/// Whether the tokens file of an operator has a token.
pub fn admits(operator: &Operator, token: &str) -> bool {
    let text = operator.proxy_file("tokens.json").unwrap_or_else(|| "[]".to_owned());
    let list: Vec<String> = serde_json::from_str(&text).expect("the file is JSON at every moment");
    list.iter().any(|it| it == token)
}

/// The Events on an object with a reason.
pub async fn events(cluster: &Cluster, namespace: &str, name: &str, reason: &str) -> Vec<Value> {
    let mut events = cluster.list("v1", "events", namespace).await;
    events.retain(|event| event.pointer("/involvedObject/name") == Some(&json!(name)) && event["reason"] == reason);
    events
}

/// A variable of a container of a template.
pub fn variable(template: &Value, container: &str, name: &str) -> Option<Value> {
    let named = |list: &Value, name: &str| list.as_array()?.iter().find(|it| it["name"] == name).cloned();
    named(&named(template.pointer("/spec/containers")?, container)?["env"], name)
}

/// The literal value of a variable of the container `app`.
pub fn value(template: &Value, name: &str) -> Option<String> {
    Some(variable(template, "app", name)?["value"].as_str()?.to_owned())
}

/// The Secret and the key that the token of the container `app` comes from.
pub fn token_reference(template: &Value) -> Option<(String, String)> {
    let reference = variable(template, "app", "LUMIGO_TRACER_TOKEN")?.pointer("/valueFrom/secretKeyRef").cloned()?;
    Some((reference["name"].as_str()?.to_owned(), reference["key"].as_str()?.to_owned()))
}

/// A policy that refuses every update of the Deployment `stuck` in a namespace, and its binding.
pub fn refusal(namespace: &str) -> [Value; 2] {
    let api_version = "admissionregistration.k8s.io/v1";
    let name = format!("refuse-{namespace}");
    let rules = json!([{
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
    }]);
    let policy = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
        "spec": {
            "matchConstraints": {
                "resourceRules": rules,
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            },
            "validations": [{ "expression": "object.metadata.name != 'stuck'", "message": "nobody changes this one" }],
        },
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    [policy, binding]
}

/// Has every update of the Deployment `stuck` of a namespace refused, from now on.
pub async fn refuse(cluster: &Cluster, namespace: &str) {
    for object in refusal(namespace) {
        cluster.kubectl_with(&["apply", "-f", "-"], &object);
    }
    let uri = format!("/apis/apps/v1/namespaces/{namespace}/deployments/stuck?dryRun=All");
    let probe = json!({ "metadata": { "annotations": { "probe": "true" } } });
    until("the policy is in force", || async {
        let answer = cluster.send("PATCH", &uri, "application/merge-patch+json", &probe).await;
        matches!(answer, Err(kube::Error::Api(status)) if status.code == 422)
    })
    .await;
}

/// Has them allowed again.
pub fn relent(cluster: &Cluster, namespace: &str) {
    let name = format!("refuse-{namespace}");
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", &name]);
}

#[test]
fn what_is_given_away_is_found() {
    assert_eq!(given_away(&format!("at {}: no", token(1))), Some(token(1).as_str()));
    assert_eq!(given_away("{\"value\":\"hunter2-of-a-tenant\"}"), Some(NO_TOKEN));
    assert_eq!(given_away("a secret_key, t_0123 and t_0123456789abcdef0123g"), None);
}
