//! Lumigoes that go, and what may come in between.

use epiphyte_api::WorkloadKind::Job;
use serde_json::{Value, json};

use crate::SHARED;
use crate::scene::*;
use crate::subject::*;
use crate::support::*;

#[test]
fn a_lumigo_that_asks_for_its_injections_to_stay_leaves_them() {
    run(async |cluster| {
        let ns = "stays";
        cluster.namespace(ns, None).await;
        let mut manifest = deployment(ns, "cart");
        let cart = Subject::create(cluster, &manifest).await;
        let stay = json!({ "tracing": { "injection": { "removeLumigoFromResourcesOnDeletion": false } } });
        admit(cluster, ns, &stay).await;
        cart.until_injected().await;
        let before = cart.template().await;
        delete_lumigo(cluster, ns).await;
        witness(cluster, ns).await;
        assert_eq!(cart.template().await, before);
        assert_eq!((cart.generation().await, cart.writes()), (2, 1));
        until("the namespace is off the file", || async { monitored(SHARED.operator(), ns).is_none() }).await;
        // What is new is not injected, and what is injected can be changed without losing it.
        let new = Subject::create(cluster, &deployment(ns, "new")).await;
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        cluster.apply(&manifest).await;
        assert!(is_injected(&cart.template().await));
        assert!(is_bare(&new.template().await));
    });
}

#[test]
fn a_workload_whose_update_is_refused_holds_its_lumigo_alone_and_is_named() {
    run(async |cluster| {
        let ns = "held";
        cluster.namespace(ns, None).await;
        let stuck = Subject::create(cluster, &deployment(ns, "stuck")).await;
        let free = Subject::create(cluster, &deployment(ns, "free")).await;
        let before = stuck.template().await;
        admit(cluster, ns, &json!({})).await;
        stuck.until_injected().await;
        free.until_injected().await;
        refuse(cluster, ns).await;

        cluster.delete(&lumigo(ns, "lumigo")).await;
        free.until_bare().await;
        stuck.until_event("LumigoCannotRemoveInstrumentation").await;
        until("the Lumigo says what it waits for", || async {
            let active = cluster.lumigo_condition(ns, "lumigo", "Active").await;
            active.is_some_and(|(status, message)| status == "False" && message.contains("Deployment stuck"))
        })
        .await;
        // Nobody else waits.
        tenant(cluster, "not-held", &json!({})).await;
        delete_lumigo(cluster, "not-held").await;
        let told = events(cluster, ns, "stuck", "LumigoCannotRemoveInstrumentation").await;
        assert_eq!((told.len(), &told[0]["type"]), (1, &json!("Warning")));
        assert!(told[0]["message"].as_str().is_some_and(|it| it.contains("nobody changes this one")), "{told:?}");

        relent(cluster, ns);
        until_gone(cluster, ns, "lumigo").await;
        assert_eq!(stuck.template().await, before);
    });
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    run(async |cluster| {
        let ns = "going";
        let own = token(6);
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, &own)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        until_active(cluster, ns, "lumigo").await;
        for name in ["cart", "mail", "stock"] {
            let subject = Subject::create(cluster, &deployment(ns, name)).await;
            subject.until_injected().await;
        }
        Subject::create(cluster, &workload(Job, ns, "job", &["app"])).await.until_injected().await;
        until("the token is admitted", || async { admits(SHARED.operator(), &own) }).await;
        let namespace = Object { api_version: "v1", plural: "namespaces", namespace: "", name: ns };
        cluster.delete(&namespace).await;
        until("the namespace is gone", || async { cluster.get("v1", "namespaces", "", ns).await.is_none() }).await;
        until("the files tell of it no more", || async {
            monitored(SHARED.operator(), ns).is_none() && !admits(SHARED.operator(), &own)
        })
        .await;
    });
}

#[test]
fn a_workload_that_is_edited_while_its_lumigo_goes_is_not_injected_again() {
    run(async |cluster| {
        let ns = "edited";
        cluster.namespace(ns, None).await;
        let mut manifest = deployment(ns, "cart");
        let cart = Subject::create(cluster, &manifest).await;
        admit(cluster, ns, &json!({})).await;
        cart.until_injected().await;
        // Somebody else's finalizer keeps the object.
        let finalizers = json!({ "metadata": { "finalizers": ["operator.lumigo.io/lumigo-finalizer", "test/hold"] } });
        cluster.merge(&lumigo(ns, "lumigo"), "", &finalizers).await;
        cluster.delete(&lumigo(ns, "lumigo")).await;
        cart.until_bare().await;
        until("ours is off it", || async {
            let object = cluster.get("operator.lumigo.io/v1", "lumigoes", ns, "lumigo").await.expect("it is held");
            object.pointer("/metadata/finalizers") == Some(&json!(["test/hold"]))
        })
        .await;
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.test/app:2");
        cluster.apply(&manifest).await;
        let new = Subject::create(cluster, &deployment(ns, "new")).await;
        witness(cluster, ns).await;
        assert!(is_bare(&cart.template().await));
        new.assert_untouched().await;
        cluster.merge(&lumigo(ns, "lumigo"), "", &json!({ "metadata": { "finalizers": null } })).await;
        until_gone(cluster, ns, "lumigo").await;
    });
}

#[test]
fn what_was_taken_off_is_injected_again_by_the_next_lumigo() {
    run(async |cluster| {
        let ns = "next";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let before = cart.object().await;
        for round in 1..=2 {
            admit(cluster, ns, &json!({})).await;
            cart.until_injected().await;
            delete_lumigo(cluster, ns).await;
            let after = cart.object().await;
            assert_eq!(after["spec"], before["spec"]);
            assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"], "no label of ours is left");
            assert_eq!(cart.writes(), 2 * round);
        }
    });
}

#[test]
fn a_label_that_its_author_wrote_outlives_the_lumigo() {
    run(async |cluster| {
        let ns = "own-label";
        cluster.namespace(ns, None).await;
        let on = Subject::create(cluster, &labelled(deployment(ns, "on"), "true")).await;
        let off = Subject::create(cluster, &labelled(deployment(ns, "off"), "false")).await;
        assert!(is_injected(&on.template().await));
        admit(cluster, ns, &json!({})).await;
        delete_lumigo(cluster, ns).await;
        witness(cluster, ns).await;
        assert_eq!(version_label(&on.object().await), Some("true"));
        assert!(is_injected(&on.template().await), "the label turns it on as before");
        assert_eq!((on.generation().await, on.writes()), (1, 0));
        assert_eq!(version_label(&off.object().await), Some("false"));
        off.assert_untouched().await;
        on.label(None).await;
        on.until_bare().await;
    });
}

#[test]
fn a_lumigo_that_is_deleted_while_it_injects_leaves_nothing_injected() {
    run(async |cluster| {
        let ns = "under-way";
        cluster.namespace(ns, None).await;
        for number in 0..80 {
            cluster.create(&idle(deployment(ns, &format!("cart-{number}")))).await;
        }
        let before: Vec<Value> = cluster.list("apps/v1", "deployments", ns).await;
        cluster.apply(&token_secret(ns, TOKEN)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        until("one is injected", || async {
            let now = cluster.list("apps/v1", "deployments", ns).await;
            now.iter().any(|it| is_injected(&it["spec"]["template"]))
        })
        .await;
        delete_lumigo(cluster, ns).await;
        witness(cluster, ns).await;
        let after = cluster.list("apps/v1", "deployments", ns).await;
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after["spec"], before["spec"], "{}", after["metadata"]["name"]);
        }
    });
}

#[test]
fn with_injection_switched_off_nothing_is_added_and_what_is_there_stays_until_the_lumigo_goes() {
    run(async |cluster| {
        let ns = "switched-off";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let before = cart.template().await;
        admit(cluster, ns, &json!({})).await;
        cart.until_injected().await;
        change(cluster, ns, &json!({ "tracing": { "injection": { "enabled": false } } })).await;
        let created = std::cell::Cell::new(0);
        let new = eventually("the webhook knows that injection is off", || async {
            created.set(created.get() + 1);
            let new = Subject::create(cluster, &deployment(ns, &format!("new-{}", created.get()))).await;
            is_bare(&new.template().await).then_some(new)
        })
        .await;
        witness(cluster, ns).await;
        new.assert_untouched().await;
        assert!(is_injected(&cart.template().await));
        delete_lumigo(cluster, ns).await;
        assert_eq!(cart.template().await, before);
    });
}

#[test]
fn an_injected_job_does_not_hold_its_lumigo_and_is_told() {
    run(async |cluster| {
        let ns = "job-left";
        tenant(cluster, ns, &json!({})).await;
        let job = Subject::create(cluster, &workload(Job, ns, "job", &["app"])).await;
        assert!(is_injected(&job.template().await));
        delete_lumigo(cluster, ns).await;
        job.until_event("LumigoCannotRemoveInstrumentation").await;
        let told = events(cluster, ns, "job", "LumigoCannotRemoveInstrumentation").await;
        assert!(told[0]["message"].as_str().is_some_and(|it| it.contains("JobImmutable")), "{told:?}");
    });
}
