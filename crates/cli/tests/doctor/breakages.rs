//! What is broken on purpose. Each mends what it broke.

use epiphyte_testbed::FakeNode;
use serde_json::{Value, json};

use crate::ground::{Ground, NODE, SETTINGS, doctor, options};
use crate::support::*;

const ADMISSION: &str = "admissionregistration.k8s.io/v1";
const CONFIGURATIONS: &str = "mutatingwebhookconfigurations";
const OUTSIDE: &str = "epiphyte-outside";

/// Runs the first `kubectl` command of a cure as it stands.
fn cure(ground: &Ground, finding: &Value) {
    let next = finding["next"].as_str().expect("a cure");
    let command = next.split('`').find_map(|it| it.strip_prefix("kubectl ")).expect("a command");
    ground.cluster.kubectl(&command.split(' ').collect::<Vec<_>>());
}

pub fn nothing_is_installed(ground: &Ground) {
    let said = doctor(&ground.cluster);
    assert_eq!((said.code, said.report["verdict"].as_str()), (Some(1), Some("broken")), "{said:#?}");
    assert_eq!(said.found("DefinitionMissing").len(), 4, "{said:#?}");
    for code in ["OperatorMissing", "NodeAgentMissing", "NoDevices", "WebhookMissing"] {
        assert_eq!(said.found(code).len(), 1, "{code}: {said:#?}");
    }
}

pub async fn of_definitions(ground: &Ground) {
    let cluster = &ground.cluster;
    let name = "lumigoes.operator.lumigo.io";
    let mut definition = cluster
        .get("apiextensions.k8s.io/v1", "customresourcedefinitions", "", name)
        .await
        .expect("the definition is there");
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    definition.pointer_mut(properties).and_then(Value::as_object_mut).expect("properties").remove("logging");
    cluster.kubectl_with(&["replace", "-f", "-"], &definition);
    let finding = ground.until_found("DefinitionOutdated").await;
    assert_eq!(finding["name"], name);
    assert!(finding["found"].as_str().is_some_and(|it| it.contains(".spec.logging")), "{finding:#}");
    let crds = std::process::Command::new(env!("CARGO_BIN_EXE_epiphyte")).arg("crds").output().expect("it runs");
    let crds = String::from_utf8(crds.stdout).expect("text");
    let cure = "`epiphyte crds | kubectl apply --server-side --force-conflicts -f -`";
    assert!(finding["next"].as_str().is_some_and(|it| it.contains(cure)), "{finding:#}");
    cluster.try_kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &crds).expect("they are applied");
    ground.until_well().await;
}

pub async fn of_the_operator(ground: &Ground) {
    let cluster = &ground.cluster;
    cluster.kubectl(&["scale", "-n", SYSTEM, "deployment/epiphyte-operator", "--replicas=0"]);
    let finding = ground.until_found("OperatorScaledToZero").await;
    cure(ground, &finding);
    ground.until_found("OperatorNotReady").await;
    ground.play().await;
    ground.until_well().await;

    cluster.namespace("second", None).await;
    let mut second = idle(deployment("second", "epiphyte-operator"));
    second["metadata"]["labels"] = json!({ "app.kubernetes.io/part-of": "epiphyte" });
    cluster.apply(&second).await;
    let finding = ground.until_found("OperatorTwice").await;
    assert_eq!(finding["namespace"], "second");
    cluster.kubectl(&["delete", "deployment", "-n", "second", "epiphyte-operator"]);
    ground.until_well().await;
}

pub async fn of_nodes(ground: &Ground) {
    let cluster = &ground.cluster;
    ground.tell_pods(NODE, false).await;
    let finding = ground.until_found("NodeAgentNotReady").await;
    cure(ground, &finding);
    cluster.kubectl(&["delete", "daemonset", "-n", NODE, "epiphyte-node-agent"]);
    ground.until_found("NodeAgentMissing").await;
    ground.apply_manifests();
    ground.play().await;

    cluster.plane.update_node(&FakeNode::new("node-1")).await.expect("the node is written");
    ground.until_found("NoDevices").await;
    let without_go = node("node-1").offers(GO, "0");
    cluster.plane.update_node(&without_go).await.expect("the node is written");
    let finding = ground.until_found("NodeWithoutDevices").await;
    assert!(finding["found"].as_str().is_some_and(|it| it.contains(GO) && !it.contains(JAVA)), "{finding:#}");
    cluster.plane.update_node(&node("node-1")).await.expect("the node is written");
    ground.until_well().await;
}

pub async fn of_rights(ground: &Ground) {
    ground.cluster.kubectl(&["delete", "clusterrolebinding", "epiphyte-node-agent"]);
    let finding = ground.until_found("RightMissing").await;
    assert_eq!((&finding["namespace"], &finding["name"]), (&json!(NODE), &json!("epiphyte-node-agent")));
    let said = doctor(&ground.cluster);
    let told: Vec<_> = said.found("RightMissing").iter().filter_map(|it| it["found"].as_str()).collect();
    assert!(told.contains(&"it may not list, watch pods everywhere"), "{told:?}");
    ground.apply_manifests();
    ground.until_well().await;
}

pub async fn of_telemetry(ground: &mut Ground) {
    ground.cluster.collectors("gateway", Ready::No).await;
    let finding = ground.until_found("CollectorsNotReady").await;
    assert_eq!(finding["name"], "gateway");
    ground.cluster.kubectl(&["delete", "collectorsgroup", "-n", SYSTEM, "gateway"]);
    ground.until_found("CollectorsMissing").await;
    ground.cluster.collectors("gateway", Ready::Yes).await;

    ground.health.behave(Manner::Says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nfull\n"));
    ground.until_told("ProxyTakesNone", "its health says 503: full").await;
    ground.health.behave(Manner::Takes);
    ground.until_well().await;
    ground.otlp.close().await;
    ground.until_told("ProxyTakesNone", "connection refused").await;
    ground.otlp.reopen().await;
    ground.otlp.behave(crate::ground::REFUSES);
    ground.until_well().await;
}

pub async fn of_neighbours(ground: &Ground) {
    let cluster = &ground.cluster;
    let mut other = json!({
        "apiVersion": ADMISSION, "kind": "MutatingWebhookConfiguration", "metadata": { "name": "other" },
        "webhooks": [{
            "name": "lumigoinjector.kb.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Ignore", "clientConfig": { "url": "https://127.0.0.1:1/" }, "rules": [],
        }],
    });
    cluster.apply(&other).await;
    let finding = ground.until_found("OtherSystem").await;
    assert_eq!((&finding["name"], &finding["found"]), (&json!("other"), &json!("the Lumigo operator")));
    cluster.kubectl(&["delete", CONFIGURATIONS, "other"]);

    other["webhooks"][0]["name"] = json!("instrument.epiphyte.dev");
    cluster.apply(&other).await;
    let finding = ground.until_found("WebhookTwice").await;
    assert!(finding["next"].as_str().is_some_and(|it| it.contains("kubectl delete")), "{finding:#}");
    cluster.kubectl(&["delete", CONFIGURATIONS, "other"]);

    let mark = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "epiphyte-uninstalling", "namespace": SYSTEM },
    });
    cluster.apply(&mark).await;
    let finding = ground.until_found("UninstallBegun").await;
    assert!(finding["next"].as_str().is_some_and(|it| it.contains("--cancel")), "{finding:#}");
    cluster.kubectl(&["delete", "configmap", "-n", SYSTEM, "epiphyte-uninstalling"]);
    ground.until_well().await;
}

pub async fn of_workloads(ground: &Ground) {
    let cluster = &ground.cluster;
    cluster.namespace("traced", None).await;
    cluster.apply(&lumigo_object("traced", "lumigo")).await;
    let finding = ground.until_told("LumigoNotActive", "traced/lumigo-credentials").await;
    cure(ground, &finding);
    cluster.kubectl(&["delete", "lumigo", "-n", "traced", "lumigo"]);

    let mut stuck = labelled(deployment("traced", "till"), "true");
    stuck["spec"]["progressDeadlineSeconds"] = json!(1);
    cluster.apply(&stuck).await;
    let finding = ground.until_told("RolloutStuck", "ProgressDeadlineExceeded").await;
    cure(ground, &finding);

    // Nobody would take it off.
    cluster.kubectl(&["delete", "deployment", "-n", SYSTEM, "epiphyte-operator"]);
    let finding = ground.until_found("LeftWithoutOperator").await;
    assert_eq!(finding["found"], "1 workloads are instrumented");
    cluster.kubectl(&["delete", "deployment", "-n", "traced", "till"]);
    ground.apply_manifests();
    ground.play().await;
    ground.until_well().await;
}

/// Sets something in the configuration of the webhook.
async fn configure(ground: &Ground, change: impl FnOnce(&mut Value)) {
    let configuration = ground.cluster.get(ADMISSION, CONFIGURATIONS, "", OUTSIDE).await;
    let mut webhooks = configuration.expect("it is there")["webhooks"].take();
    change(&mut webhooks[0]);
    let object = Object { api_version: ADMISSION, plural: CONFIGURATIONS, namespace: "", name: OUTSIDE };
    ground.cluster.merge(&object, "", &json!({ "webhooks": webhooks })).await;
}

pub async fn of_the_webhook(ground: &Ground) {
    let operator = ground.operator.as_ref().expect("it runs");
    // One that hangs mends nothing, and answers nothing.
    operator.signal("STOP");
    let finding = ground.until_found("AdmissionSilent").await;
    assert!(finding["found"].as_str().is_some_and(|it| it.contains("namespace default")), "{finding:#}");
    let finding = ground.until_found("LeaderStale").await;
    assert_eq!(finding["name"], "epiphyte-operator");

    configure(ground, |webhook| webhook["clientConfig"]["caBundle"] = Value::Null).await;
    ground.until_found("BundleMissing").await;
    // The authority of the API server signs no webhook.
    let authority = base64(&ground.cluster.plane.authority());
    configure(ground, |webhook| webhook["clientConfig"]["caBundle"] = json!(authority)).await;
    ground.until_found("BundleWrong").await;
    configure(ground, |webhook| webhook["failurePolicy"] = json!("Fail")).await;
    ground.until_found("WebhookNotIgnored").await;
    ground.cluster.kubectl(&["delete", CONFIGURATIONS, OUTSIDE]);
    ground.until_found("WebhookMissing").await;
    operator.signal("CONT");
    ground.until_well().await;
}

pub async fn of_the_certificate(mut ground: Ground) {
    ground.operator.take().expect("it runs").kill();
    ground.cluster.kubectl(&["delete", "secret", "-n", SYSTEM, "epiphyte-webhook-certificate"]);
    let short = format!("{SETTINGS}webhook: {{certificateLifetime: 20s}}\n");
    ground.operator = Some(ground.cluster.operator(&options(&short)).await);
    ground.until_well().await;
    ground.operator.take().expect("it runs").kill();
    let finding = ground.until_found("CertificateExpired").await;
    assert!(finding["found"].as_str().is_some_and(|it| it.starts_with("the serving certificate ended")), "{finding:#}");
}

fn base64(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec()))
        .ok()
        .and_then(|it| it.as_str().map(str::to_owned))
        .expect("text")
}
