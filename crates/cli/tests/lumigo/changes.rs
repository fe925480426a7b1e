//! A Lumigo that changes, and workloads that come and change while one does.

use std::process::Command;

use serde_json::{Value, json};

use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// What `epiphyte explain` says of a Deployment, as JSON.
fn explain(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["explain", &format!("deployment/{name}"), "-n", namespace, "-o", "json"])
        .env("KUBECONFIG", cluster.plane.kubeconfig())
        .output()
        .expect("epiphyte runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_change_of_the_lumigo_reaches_a_workload_at_its_next_template_change_and_explain_says_so() {
    run(async |cluster| {
        let ns = "changed";
        cluster.namespace(ns, None).await;
        let mut manifest = deployment(ns, "cart");
        let cart = Subject::of(cluster, &manifest);
        cluster.apply(&manifest).await;
        admit(cluster, ns, &json!({})).await;
        cart.until_injected().await;
        assert_eq!(explain(cluster, ns, "cart")["renewal"], Value::Null);
        let mut other = token_secret(ns, &token(9));
        other["metadata"]["name"] = json!("other");
        cluster.apply(&other).await;
        let reference = json!({ "secretRef": { "name": "other", "key": "token" } });
        change(cluster, ns, &json!({ "logging": { "enabled": true }, "lumigoToken": reference })).await;

        let told = explain(cluster, ns, "cart");
        assert_eq!(told["renewal"]["reason"], "AwaitingTemplateChange");
        assert_eq!(told["renewal"]["about"], "LUMIGO_TRACER_TOKEN, LUMIGO_ENABLE_LOGS");
        assert_eq!((&told["lumigo"]["name"], &told["lumigo"]["active"]), (&json!("lumigo"), &json!(true)));
        // Neither the change itself nor a label that somebody writes rolls anything.
        cart.merge(&json!({ "metadata": { "labels": { "team": "checkout" } } })).await;
        cluster.apply(&manifest).await;
        witness(cluster, ns).await;
        let template = cart.template().await;
        assert_eq!(value(&template, "LUMIGO_ENABLE_LOGS").as_deref(), Some("false"));
        assert_eq!((cart.generation().await, cart.writes()), (2, 1));

        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        cluster.apply(&manifest).await;
        let template = cart.template().await;
        assert_eq!(value(&template, "LUMIGO_ENABLE_LOGS").as_deref(), Some("true"));
        assert_eq!(token_reference(&template), Some(("other".to_owned(), "token".to_owned())));
        assert_eq!((cart.generation().await, cart.writes()), (3, 1));
        assert_eq!(explain(cluster, ns, "cart")["renewal"], Value::Null);
    });
}

#[test]
fn one_workload_that_is_refused_keeps_no_other_from_being_injected_and_is_tried_again() {
    run(async |cluster| {
        let ns = "one-refused";
        cluster.namespace(ns, None).await;
        // By name it comes first, and by age.
        let stuck = Subject::create(cluster, &deployment(ns, "stuck")).await;
        let mut others = Vec::new();
        for name in ["upper", "valid", "works"] {
            others.push(Subject::create(cluster, &deployment(ns, name)).await);
        }
        refuse(cluster, ns).await;
        admit(cluster, ns, &json!({})).await;
        for other in &others {
            other.until_injected().await;
        }
        stuck.until_event("LumigoCannotAddInstrumentation").await;
        let told = events(cluster, ns, "stuck", "LumigoCannotAddInstrumentation").await;
        let message = told[0]["message"].as_str().expect("a message");
        assert!(message.contains("UpdateRejected") && message.contains("nobody changes this one"), "{message}");
        assert!(is_bare(&stuck.template().await));
        until_listed(cluster, ns, &["Deployment/upper", "Deployment/valid", "Deployment/works"]).await;

        relent(cluster, ns);
        stuck.until_injected().await;
        assert_eq!(stuck.generation().await, 2);
        assert_eq!(events(cluster, ns, "stuck", "LumigoCannotAddInstrumentation").await.len(), 1, "told once");
    });
}

#[test]
fn workloads_that_are_created_while_a_lumigo_becomes_active_are_all_injected() {
    run(async |cluster| {
        let ns = "gap";
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, TOKEN)).await;
        let create = async {
            for number in 0..60 {
                cluster.create(&idle(deployment(ns, &format!("cart-{number}")))).await;
            }
        };
        let lumigo = async {
            until("some are there", || async { cluster.list("apps/v1", "deployments", ns).await.len() >= 5 }).await;
            cluster.apply(&lumigo_object(ns, "lumigo")).await;
        };
        tokio::join!(create, lumigo);
        until("every one is injected", || async {
            let all = cluster.list("apps/v1", "deployments", ns).await;
            all.len() == 60 && all.iter().all(|it| is_injected(&it["spec"]["template"]))
        })
        .await;
        let all = cluster.list("apps/v1", "deployments", ns).await;
        let most = all.iter().filter_map(|it| it.pointer("/metadata/generation")?.as_i64()).max();
        assert!(most <= Some(2), "none is written twice: {most:?}");
    });
}
