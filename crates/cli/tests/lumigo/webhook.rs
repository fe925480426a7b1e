//! What the webhook does under a Lumigo, and by labels alone where there is none.

use epiphyte_api::WorkloadKind::{DaemonSet, Deployment, Job, StatefulSet};
use serde_json::{Value, json};

use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// The manifest with labels.
fn with_labels(mut manifest: Value, labels: Value) -> Value {
    manifest["metadata"]["labels"] = labels;
    manifest
}

#[test]
fn without_a_lumigo_a_plain_deployment_is_left_as_it_is() {
    run(async |cluster| {
        cluster.namespace("no-lumigo", None).await;
        let plain = Subject::create(cluster, &deployment("no-lumigo", "plain")).await;
        witness(cluster, "no-lumigo").await;
        plain.assert_untouched().await;
        assert_eq!(version_label(&plain.object().await), None);
    });
}

#[test]
fn without_a_lumigo_a_label_has_a_deployment_injected_without_logs() {
    run(async |cluster| {
        cluster.namespace("by-label", None).await;
        let cart = Subject::create(cluster, &labelled(deployment("by-label", "cart"), "true")).await;
        let template = cart.template().await;
        assert!(is_injected(&template));
        assert_eq!(value(&template, "LUMIGO_ENABLE_LOGS").as_deref(), Some("false"));
        assert_eq!(value(&template, "LUMIGO_ENABLE_TRACES").as_deref(), Some("true"));
        assert_eq!(token_reference(&template), Some(("lumigo-credentials".to_owned(), "token".to_owned())));
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
    });
}

#[test]
fn a_label_that_turns_from_false_to_true_has_a_deployment_injected() {
    run(async |cluster| {
        cluster.namespace("label-turned", None).await;
        let cart = Subject::create(cluster, &labelled(deployment("label-turned", "cart"), "false")).await;
        assert!(is_bare(&cart.template().await));
        cart.label(Some("true")).await;
        assert!(is_injected(&cart.template().await), "in the same write");
        assert_eq!((cart.generation().await, cart.writes()), (2, 0));
    });
}

#[test]
fn a_label_takes_a_workload_out_of_its_lumigo_and_its_removal_puts_it_back() {
    run(async |cluster| {
        let ns = "opted-out";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let before = cart.template().await;
        admit(cluster, ns, &json!({})).await;
        cart.until_injected().await;
        cart.label(Some("False")).await;
        assert_eq!(cart.template().await, before, "in the same write");
        until_listed(cluster, ns, &[]).await;
        cart.label(None).await;
        assert!(is_injected(&cart.template().await), "in the same write");
        until_listed(cluster, ns, &["Deployment/cart"]).await;
        assert_eq!((cart.generation().await, cart.writes()), (4, 1));
    });
}

#[test]
fn labels_beside_the_mark_choose_secret_and_key_and_what_is_sent() {
    run(async |cluster| {
        let ns = "companions";
        cluster.namespace(ns, None).await;
        let labels = json!({
            "lumigo.auto-trace": "true", "lumigo.enable-traces": "False", "lumigo.enable-logs": "true",
            "lumigo.token-secret": "mine", "lumigo.token-key": "key",
        });
        let mut cart = with_labels(deployment(ns, "cart"), labels);
        let subject = Subject::create(cluster, &cart).await;
        let chosen = async || {
            let template = subject.template().await;
            let value = |name| value(&template, name).expect("it is set");
            (token_reference(&template).expect("a token"), value("LUMIGO_ENABLE_TRACES"), value("LUMIGO_ENABLE_LOGS"))
        };
        let wanted =
            |secret: &str, logs: &str| ((secret.to_owned(), "key".to_owned()), "false".to_owned(), logs.to_owned());
        assert_eq!(chosen().await, wanted("mine", "true"));

        // A change of a companion is no change of the template: it waits for one.
        subject.merge(&json!({ "metadata": { "labels": { "lumigo.token-secret": "other" } } })).await;
        witness(cluster, ns).await;
        assert_eq!(chosen().await, wanted("mine", "true"));
        assert_eq!((subject.generation().await, subject.writes()), (1, 0));
        cart["metadata"]["labels"]["lumigo.token-secret"] = json!("other");
        cart["metadata"]["labels"]["lumigo.enable-logs"] = json!("no");
        cart["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        cluster.apply(&cart).await;
        assert_eq!(chosen().await, wanted("other", "false"));
    });
}

#[test]
fn a_companion_that_names_nothing_falls_back_and_is_told_and_counts_for_nothing_beside_a_lumigo() {
    run(async |cluster| {
        let ns = "companions-odd";
        cluster.namespace(ns, None).await;
        // Somebody took the label for the place of the token itself: that is told, and not what it says.
        let labels = json!({ "lumigo.auto-trace": "true", "lumigo.token-secret": token(10), "lumigo.token-key": "" });
        let cart = Subject::create(cluster, &with_labels(deployment(ns, "cart"), labels)).await;
        assert_eq!(
            token_reference(&cart.template().await),
            Some(("lumigo-credentials".to_owned(), "token".to_owned()))
        );
        cart.until_event("InvalidTokenLabel").await;

        admit(cluster, ns, &json!({ "logging": { "enabled": true } })).await;
        let labels = json!({
            "lumigo.auto-trace": "true", "lumigo.token-secret": "mine", "lumigo.enable-logs": "false",
            "lumigo.enable-traces": "false",
        });
        // What a Lumigo says is known to the webhook once it has injected something.
        let known = Subject::create(cluster, &deployment(ns, "known")).await;
        known.until_injected().await;
        let template = Subject::create(cluster, &with_labels(deployment(ns, "mail"), labels)).await.template().await;
        assert_eq!(token_reference(&template), Some(("lumigo-credentials".to_owned(), "token".to_owned())));
        assert_eq!(value(&template, "LUMIGO_ENABLE_LOGS").as_deref(), Some("true"));
        assert_eq!(value(&template, "LUMIGO_ENABLE_TRACES").as_deref(), Some("true"));
    });
}

#[test]
fn under_a_lumigo_in_error_a_deployment_is_created_untouched() {
    run(async |cluster| {
        let ns = "in-error";
        cluster.namespace(ns, None).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        until_error(cluster, ns, "lumigo", "cannot retrieve secret").await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        // The label alone would turn it on, but the Lumigo rules over it.
        let marked = Subject::create(cluster, &labelled(deployment(ns, "marked"), "true")).await;
        witness(cluster, ns).await;
        cart.assert_untouched().await;
        marked.assert_untouched().await;
    });
}

#[test]
fn under_an_active_lumigo_with_logging_a_deployment_is_injected_with_logs() {
    run(async |cluster| {
        let ns = "logging";
        tenant(cluster, ns, &json!({ "logging": { "enabled": true } })).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let template = cart.template().await;
        assert!(is_injected(&template));
        assert_eq!(value(&template, "LUMIGO_ENABLE_LOGS").as_deref(), Some("true"));
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
    });
}

#[test]
fn traces_are_on_in_every_container_unless_the_lumigo_turns_them_off() {
    run(async |cluster| {
        let ns = "traces";
        tenant(cluster, ns, &json!({})).await;
        let pair = Subject::create(cluster, &workload(Deployment, ns, "pair", &["app", "sidecar"])).await;
        let template = pair.template().await;
        for container in ["app", "sidecar"] {
            let traces = variable(&template, container, "LUMIGO_ENABLE_TRACES").expect("it is set");
            assert_eq!(traces["value"], "true", "{container}");
        }
        change(cluster, ns, &json!({ "tracing": { "enabled": false } })).await;
        let number = std::cell::Cell::new(0);
        eventually("the webhook knows that traces are off", || async {
            number.set(number.get() + 1);
            let quiet = Subject::create(cluster, &deployment(ns, &format!("quiet-{}", number.get()))).await;
            let template = quiet.template().await;
            assert!(is_injected(&template), "it is injected all the same");
            (value(&template, "LUMIGO_ENABLE_TRACES").as_deref() == Some("false")).then_some(())
        })
        .await;
    });
}

#[test]
fn what_is_created_under_a_lumigo_is_injected_at_once_and_an_event_says_so() {
    run(async |cluster| {
        let ns = "at-once";
        tenant(cluster, ns, &json!({})).await;
        let job = Subject::create(cluster, &workload(Job, ns, "job", &["app"])).await;
        let mut manifest = deployment(ns, "secured");
        manifest["spec"]["template"]["spec"]["securityContext"] =
            json!({ "runAsNonRoot": true, "runAsUser": 5678, "runAsGroup": 5678, "fsGroup": 5678 });
        let secured = Subject::create(cluster, &manifest).await;
        let set = Subject::create(cluster, &workload(StatefulSet, ns, "set", &["app"])).await;
        let daemons = Subject::create(cluster, &workload(DaemonSet, ns, "daemons", &["app"])).await;
        for subject in [&job, &secured, &set, &daemons] {
            assert!(is_injected(&subject.template().await), "{subject}");
            assert_eq!((subject.generation().await, subject.writes()), (1, 0), "{subject}");
            subject.until_event("LumigoAddedInstrumentation").await;
        }
        let init = secured.template().await.pointer("/spec/initContainers/0/securityContext").cloned();
        let init = init.expect("a security context");
        assert_eq!((&init["runAsUser"], &init["runAsNonRoot"]), (&json!(5678), &json!(true)));
    });
}

#[test]
fn a_job_that_exists_can_be_labelled_and_deleted_under_a_lumigo() {
    run(async |cluster| {
        let ns = "old-job";
        cluster.namespace(ns, None).await;
        let job = Subject::create(cluster, &workload(Job, ns, "job", &["app"])).await;
        let before = job.template().await;
        admit(cluster, ns, &json!({})).await;
        job.until_event("LumigoCannotAddInstrumentation").await;
        job.merge(&json!({ "metadata": { "labels": { "team": "checkout" }, "finalizers": ["test/hold"] } })).await;
        assert_eq!(job.template().await, before);
        job.delete().await;
        job.merge(&json!({ "metadata": { "finalizers": null } })).await;
        until("the Job is gone", || async { cluster.get("batch/v1", "jobs", ns, "job").await.is_none() }).await;
    });
}

#[test]
fn a_dry_run_shows_the_injection_and_tells_nobody() {
    run(async |cluster| {
        let ns = "lumigo-dry-run";
        tenant(cluster, ns, &json!({})).await;
        let path = "/apis/apps/v1/namespaces/lumigo-dry-run/deployments?dryRun=All";
        let shown = cluster.send("POST", path, "application/json", &deployment(ns, "shown")).await;
        assert!(is_injected(shown.expect("it is allowed").pointer("/spec/template").expect("a template")));
        let real = Subject::create(cluster, &deployment(ns, "real")).await;
        real.until_event("LumigoAddedInstrumentation").await;
        witness(cluster, ns).await;
        assert!(cluster.events(ns, "shown").await.is_empty());
        assert_eq!(listed(cluster, ns, "lumigo").await, ["Deployment/real"]);
    });
}

#[test]
fn the_webhook_is_not_asked_about_lumigoes_nor_in_system_namespaces_and_refuses_nothing() {
    run(async |cluster| {
        let group = "admissionregistration.k8s.io/v1";
        let webhooks = cluster.list(group, "mutatingwebhookconfigurations", "").await;
        let webhook = webhooks[0].pointer("/webhooks/0").expect("our webhook");
        assert_eq!((webhooks.len(), &webhook["failurePolicy"]), (1, &json!("Ignore")));
        let rules = webhook["rules"].to_string();
        assert!(!rules.contains("lumigoes"), "{rules}");
        assert!(webhook["namespaceSelector"].to_string().contains("kube-system"));
        assert!(webhook["matchConditions"].is_array(), "what a controller owns is left out of the call");
        assert!(cluster.list(group, "validatingwebhookconfigurations", "").await.is_empty());
    });
}
