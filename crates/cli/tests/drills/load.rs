//! An operator under adversity: certificates that are over in seconds, refused and contended writes, a settings file that
//! changes under its hands.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::{Value, json};

use crate::scene::*;
use crate::support::*;

const SETTINGS: &str = "webhook: {certificateLifetime: 15s, authorityLifetime: 30s}\n";

#[tokio::test(flavor = "multi_thread")]
async fn adversity_of_one_kind_leaves_all_else_served() {
    let cluster = Cluster::ready().await;
    let operator =
        cluster.operator(&OperatorOptions { settings: SETTINGS.to_owned(), ..OperatorOptions::default() }).await;
    tokio::join!(certificates_rotate_without_a_failed_admission(&cluster, &operator), async {
        a_refused_update_is_told_once_and_tried_again(&cluster, &operator).await;
        a_contended_workload_is_instrumented_once(&cluster, &operator).await;
        settings_change_without_a_restart(&cluster, &operator).await;
    });
}

async fn certificates_rotate_without_a_failed_admission(cluster: &Cluster, operator: &Operator) {
    cluster.namespace("injected", None).await;
    cluster.lumigo("injected").await;
    until("the Lumigo is known", || async {
        let probe = cluster.apply(&idle(deployment("injected", "probe"))).await;
        let known = agents_image(&probe).is_some();
        let name = Object { api_version: "apps/v1", plural: "deployments", namespace: "injected", name: "probe" };
        cluster.delete(&name).await;
        known
    })
    .await;

    let (mut certificates, mut bundles) = (HashSet::new(), HashSet::new());
    let start = Instant::now();
    let mut created = 0;
    while certificates.len() < 4 || bundles.len() < 4 {
        assert!(start.elapsed() < DEADLINE, "{} certificates, {} bundles", certificates.len(), bundles.len());
        let name = format!("job-{created:04}");
        let manifest = idle(deployment("injected", &name));
        let admitted = cluster.create(&manifest).await;
        assert!(agents_image(&admitted).is_some(), "{name} was created past the webhook");
        let uri = format!("/apis/apps/v1/namespaces/injected/deployments/{name}");
        let replaced = cluster.send("PUT", &uri, "application/json", &manifest).await.expect("it is replaced");
        assert_eq!(replaced["spec"], admitted["spec"], "{name} was replaced past the webhook");
        created += 1;
        certificates.insert(operator.metric("epiphyte_webhook_certificate_expiry_timestamp_seconds", &[]).to_bits());
        bundles.insert(bundle(cluster).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let failures = cluster.kubectl(&["get", "--raw", "/metrics"]);
    let failures = failures.lines().filter(|line| line.starts_with("apiserver_admission_webhook_fail_open_count"));
    assert_eq!(failures.collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(operator.metric("epiphyte_admission_reviews_total", &["outcome=\"error\""]), 0.0);
}

async fn bundle(cluster: &Cluster) -> String {
    let group = "admissionregistration.k8s.io/v1";
    let object = cluster.get(group, "mutatingwebhookconfigurations", "", "epiphyte-outside").await;
    let bundle = object.and_then(|it| it.pointer("/webhooks/0/clientConfig/caBundle").cloned());
    bundle.as_ref().and_then(Value::as_str).expect("the webhook is trusted").to_owned()
}

async fn a_refused_update_is_told_once_and_tried_again(cluster: &Cluster, operator: &Operator) {
    cluster.namespace("guarded", None).await;
    for manifest in no_devices("guarded") {
        cluster.kubectl_with(&["apply", "-f", "-"], &manifest);
    }
    until("the policy is in force", || async { !may_be_created(cluster, "forbidden").await }).await;

    cluster.apply(&annotated(idle(deployment("guarded", "cart")), "true")).await;
    cluster.answer(Deployment, "guarded", "cart", &[("app", "java")]).await;
    cluster.until_event("guarded", "cart", "LumigoCannotAddInstrumentation").await;
    until("it is tried again", || async {
        operator.metric("epiphyte_writes_total", &["what=\"workload\"", "outcome=\"rejected\""]) >= 2.0
    })
    .await;
    cluster.namespace("free", None).await;
    see_handled(cluster, "free", "mail").await;
    assert_eq!(cluster.generation(Deployment, "guarded", "cart").await, 1);

    cluster.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-devices"]);
    cluster.until_devices(Deployment, "guarded", "cart", &[("app", JAVA)]).await;
    assert_eq!(cluster.generation(Deployment, "guarded", "cart").await, 2);
    cluster.until_event("guarded", "cart", "LumigoAddedInstrumentation").await;
    let told = cluster.events("guarded", "cart").await;
    let complaints = told.iter().filter(|reason| *reason == "LumigoCannotAddInstrumentation");
    assert_eq!(complaints.count(), 1, "told once: {told:?}");
}

/// A policy that refuses devices in a namespace, and what is named `forbidden`.
fn no_devices(namespace: &str) -> [Value; 2] {
    let (api_version, name) = ("admissionregistration.k8s.io/v1", "no-devices");
    let rules = json!([{
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"],
    }]);
    // The name is for those who wait until the policy is in force: a device that nobody asked for the webhook takes off.
    let expression = "object.metadata.name != 'forbidden' && object.spec.template.spec.containers.all(c, !has(c.resources) || !has(c.resources.limits) || \
                      c.resources.limits.all(k, !k.startsWith('instrumentation.odigos.io/')))";
    let policy = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
        "spec": {
            "matchConstraints": {
                "resourceRules": rules,
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            },
            "validations": [{ "expression": expression, "message": "no devices here" }],
        },
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    [policy, binding]
}

async fn may_be_created(cluster: &Cluster, name: &str) -> bool {
    let probe = deployment("guarded", name);
    let uri = "/apis/apps/v1/namespaces/guarded/deployments?dryRun=All";
    match cluster.send("POST", uri, "application/json", &probe).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 422 => false,
        Err(error) => panic!("{error}"),
    }
}

async fn a_contended_workload_is_instrumented_once(cluster: &Cluster, operator: &Operator) {
    let mark = cluster.plane.audit().mark().expect("a mark");
    cluster.namespace("contended", None).await;
    cluster.apply(&annotated(idle(deployment("contended", "cart")), "true")).await;
    let conflicts = || operator.metric("epiphyte_writes_total", &["what=\"workload\"", "outcome=\"conflict\""]);
    let (before, over) = (conflicts(), AtomicBool::new(false));
    let edit = async {
        let cart = Object { api_version: "apps/v1", plural: "deployments", namespace: "contended", name: "cart" };
        let mut edits = 0;
        while !over.load(Ordering::Relaxed) {
            edits += 1;
            // The status, since with any other edit the webhook would add the device.
            cluster.merge(&cart, "status", &json!({ "status": { "unavailableReplicas": edits } })).await;
            // As fast as can be until the operator was in the way, then twenty times a second.
            if conflicts() > before {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let instrument = async {
        cluster.answer(Deployment, "contended", "cart", &[("app", "java")]).await;
        cluster.until_devices(Deployment, "contended", "cart", &[("app", JAVA)]).await;
        cluster.until_reason(Deployment, "contended", "cart", "Instrumented", "Instrumented").await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(edit, instrument);
    cluster.namespace("calm", None).await;
    see_handled(cluster, "calm", "mail").await;
    let patched = patched(cluster, OPERATOR, mark, Deployment);
    assert_eq!(patched, ["cart", "mail"]);
    assert_eq!(cluster.generation(Deployment, "contended", "cart").await, 2);
}

async fn settings_change_without_a_restart(cluster: &Cluster, operator: &Operator) {
    cluster.namespace("ignored", None).await;
    see_handled(cluster, "ignored", "cart").await;
    let ignoring = format!("{SETTINGS}ignoredNamespaces: [ignored]\n");
    operator.reconfigure(&ignoring);
    cluster.until_devices(Deployment, "ignored", "cart", &[]).await;

    operator.reconfigure("ignoredNamespace: []\n");
    until("the broken file is told of", || async {
        operator.metric("epiphyte_settings_errors_total", &[]) == 1.0
            && operator.log().contains("the last good settings stay in force")
            && operator.log().contains("ignoredNamespace")
    })
    .await;
    cluster.apply(&annotated(idle(deployment("ignored", "cart")), "true")).await;
    cluster.apply(&labelled(idle(deployment("ignored", "mail")), "true")).await;
    cluster.namespace("heeded", None).await;
    see_handled(cluster, "heeded", "cart").await;
    assert_eq!(cluster.generation(Deployment, "ignored", "cart").await, 3, "still ignored");
    assert_eq!(agents_image(&cluster.workload(Deployment, "ignored", "mail").await), None, "still ignored");

    operator.reconfigure(SETTINGS);
    until_injected(cluster, "ignored", "mail").await;
    cluster.answer(Deployment, "ignored", "cart", &[("app", "java")]).await;
    cluster.until_devices(Deployment, "ignored", "cart", &[("app", JAVA)]).await;
}
