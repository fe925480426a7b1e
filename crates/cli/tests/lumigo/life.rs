//! The life of a Lumigo from its creation to its deletion, what it says of itself, and which of several counts.

use epiphyte_api::WorkloadKind::{self, Job};
use epiphyte_api::names::{LUMIGO_FINALIZER, auto_trace_version};
use serde_json::{Value, json};

use crate::SHARED;
use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// Who signs the Events of a Lumigo's injections.
fn component(part: &str) -> String {
    format!("{}/{part}", auto_trace_version(env!("CARGO_PKG_VERSION")))
}

#[test]
fn a_lumigo_whose_secret_comes_later_is_in_error_until_it_comes() {
    run(async |cluster| {
        let ns = "secret-later";
        cluster.namespace(ns, None).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        until_error(cluster, ns, "lumigo", "cannot retrieve secret 'secret-later/lumigo-credentials'").await;
        assert_eq!(monitored(SHARED.operator(), ns), None);
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;

        cluster.apply(&token_secret(ns, TOKEN)).await;
        until_active(cluster, ns, "lumigo").await;
        let error = cluster.lumigo_condition(ns, "lumigo", "Error").await;
        assert_eq!(error, Some(("False".to_owned(), String::new())));
        until("the namespace is in the file", || async { monitored(SHARED.operator(), ns).is_some() }).await;
        cart.until_injected().await;
    });
}

#[test]
fn existing_workloads_stay_as_they_are_where_the_lumigo_says_so_and_new_ones_are_injected() {
    run(async |cluster| {
        let ns = "not-existing";
        cluster.namespace(ns, None).await;
        let old = Subject::create(cluster, &deployment(ns, "old")).await;
        let keep = json!({ "injectLumigoIntoExistingResourcesOnCreation": false });
        admit(cluster, ns, &json!({ "tracing": { "injection": keep } })).await;
        // Times are told by the second: what was created in the same one was there before.
        let created = old_second(&cluster.get("operator.lumigo.io/v1", "lumigoes", ns, "lumigo").await);
        until("the second is over", || async { jiff::Timestamp::now().as_second() > created }).await;
        let new = Subject::create(cluster, &deployment(ns, "new")).await;
        assert!(is_injected(&new.template().await));
        until_listed(cluster, ns, &["Deployment/new"]).await;
        witness(cluster, ns).await;
        old.assert_untouched().await;
    });
}

/// The second in which an object was created.
fn old_second(object: &Option<Value>) -> i64 {
    let created = object.as_ref().and_then(|it| it.pointer("/metadata/creationTimestamp")?.as_str()).expect("a time");
    created.parse::<jiff::Timestamp>().expect("a time").as_second()
}

#[test]
fn deleting_a_lumigo_gives_back_the_template_as_it_was() {
    run(async |cluster| {
        let ns = "given-back";
        let own = token(5);
        cluster.namespace(ns, None).await;
        let mut manifest = deployment(ns, "cart");
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "MINE", "value": "1" }]);
        let cart = Subject::create(cluster, &manifest).await;
        let before = cart.object().await;
        cluster.apply(&token_secret(ns, &own)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        cart.until_injected().await;
        until_listed(cluster, ns, &["Deployment/cart"]).await;
        until("the files tell of it", || async {
            monitored(SHARED.operator(), ns).is_some() && admits(SHARED.operator(), &own)
        })
        .await;
        cart.until_event("LumigoAddedInstrumentation").await;
        let added = events(cluster, ns, "cart", "LumigoAddedInstrumentation").await;
        let message = "Adding Lumigo instrumentation (trigger: controller, acting on behalf of the 'given-back/lumigo' Lumigo resource)";
        assert!(added[0]["message"].as_str().is_some_and(|it| it.starts_with(message)), "{added:?}");
        assert_eq!(added[0]["source"]["component"], component("controller"));
        assert_eq!((&added[0]["type"], added.len()), (&json!("Normal"), 1));

        delete_lumigo(cluster, ns).await;
        let after = cart.object().await;
        assert_eq!(after["spec"], before["spec"]);
        assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
        assert_eq!((cart.generation().await, cart.writes()), (3, 2));
        until("the files tell of it no more", || async {
            monitored(SHARED.operator(), ns).is_none() && !admits(SHARED.operator(), &own)
        })
        .await;
        cart.until_event("LumigoRemovedInstrumentation").await;
        let removed = events(cluster, ns, "cart", "LumigoRemovedInstrumentation").await;
        let message = "Removing Lumigo instrumentation (trigger: controller, acting on behalf of the 'given-back/lumigo' Lumigo resource)";
        assert_eq!((&removed[0]["message"], removed.len()), (&json!(message), 1));
    });
}

#[test]
fn a_manifest_of_the_original_counts_as_it_stands() {
    run(async |cluster| {
        let ns = "original";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        cluster.apply(&token_secret(ns, TOKEN)).await;
        let mut object = lumigo_that(ns, "lumigo", &json!({ "tracing": { "injection": { "enabled": true } } }));
        object["apiVersion"] = json!("operator.lumigo.io/v1alpha1");
        cluster.kubectl_with(&["apply", "-f", "-"], &object);
        until_active(cluster, ns, "lumigo").await;
        cart.until_injected().await;
        let shown = cluster.get("operator.lumigo.io/v1alpha1", "lumigoes", ns, "lumigo").await.expect("it is served");
        let injection = json!({
            "enabled": true, "injectLumigoIntoExistingResourcesOnCreation": true,
            "removeLumigoFromResourcesOnDeletion": true,
        });
        assert_eq!(shown.pointer("/spec/tracing"), Some(&json!({ "enabled": true, "injection": injection })));
        let kube_events = json!({ "enabled": true, "kubeEvents": { "enabled": true } });
        assert_eq!(shown.pointer("/spec/infrastructure"), Some(&kube_events));
        assert_eq!(shown.pointer("/spec/logging"), Some(&json!({ "enabled": false })));
        cluster.kubectl(&["delete", "lumigoes.v1alpha1.operator.lumigo.io", "lumigo", "-n", ns]);
        assert!(is_bare(&cart.template().await));
    });
}

#[test]
fn the_finalizer_is_on_before_anything_is_injected() {
    run(async |cluster| {
        let ns = "finalizer-first";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        admit(cluster, ns, &json!({})).await;
        cart.until_injected().await;
        let writes = cluster.operator_writes(mark);
        let place = |resource: &str, what: &str| {
            writes.iter().position(|entry| {
                let is_here = entry.object_ref.as_ref().is_some_and(|it| it.namespace == ns);
                let body = entry.request_object.as_ref().map(Value::to_string).unwrap_or_default();
                is_here && entry.is_about(resource) && body.contains(what)
            })
        };
        let (held, injected) = (place("lumigoes", LUMIGO_FINALIZER), place("deployments", "lumigo-injector"));
        assert!(held.expect("the finalizer was put on") < injected.expect("it was injected"), "{held:?} {injected:?}");
    });
}

#[test]
fn a_finalizer_that_somebody_takes_off_comes_back() {
    run(async |cluster| {
        let ns = "finalizer-back";
        tenant(cluster, ns, &json!({})).await;
        cluster.merge(&lumigo(ns, "lumigo"), "", &json!({ "metadata": { "finalizers": ["test/own"] } })).await;
        until("it is back beside the other", || async {
            let object = cluster.get("operator.lumigo.io/v1", "lumigoes", ns, "lumigo").await.expect("the Lumigo");
            object.pointer("/metadata/finalizers") == Some(&json!(["test/own", LUMIGO_FINALIZER]))
        })
        .await;
        until_active(cluster, ns, "lumigo").await;
    });
}

#[test]
fn only_the_oldest_lumigo_counts_and_the_next_takes_over_without_a_rollout() {
    run(async |cluster| {
        let ns = "oldest";
        tenant(cluster, ns, &json!({})).await;
        let created = old_second(&cluster.get("operator.lumigo.io/v1", "lumigoes", ns, "lumigo").await);
        until("the second is over", || async { jiff::Timestamp::now().as_second() > created }).await;
        // It is the first by name, and would be the first of a list.
        cluster.apply(&lumigo_that(ns, "a-younger", &json!({ "logging": { "enabled": true } }))).await;
        until_error(cluster, ns, "a-younger", "other Lumigo instances in this namespace").await;
        until_active(cluster, ns, "lumigo").await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        assert_eq!(value(&cart.template().await, "LUMIGO_ENABLE_LOGS").as_deref(), Some("false"));
        until_listed(cluster, ns, &["Deployment/cart"]).await;
        assert!(listed(cluster, ns, "a-younger").await.is_empty());

        delete_lumigo(cluster, ns).await;
        until_active(cluster, ns, "a-younger").await;
        let later = Subject::create(cluster, &deployment(ns, "later")).await;
        assert_eq!(value(&later.template().await, "LUMIGO_ENABLE_LOGS").as_deref(), Some("true"));
        witness(cluster, ns).await;
        assert!(is_injected(&cart.template().await));
        assert_eq!((cart.generation().await, cart.writes()), (1, 0));
        assert_eq!(listed(cluster, ns, "a-younger").await, ["Deployment/cart", "Deployment/later"]);
    });
}

#[test]
fn of_two_lumigoes_created_in_the_same_second_the_first_by_name_counts() {
    run(async |cluster| {
        for round in 0..10 {
            let ns = &format!("same-second-{round}");
            cluster.namespace(ns, None).await;
            cluster.apply(&token_secret(ns, TOKEN)).await;
            let (b, a) = (lumigo_object(ns, "b"), lumigo_object(ns, "a"));
            let (b, a) = tokio::join!(cluster.apply(&b), cluster.apply(&a));
            if b["metadata"]["creationTimestamp"] != a["metadata"]["creationTimestamp"] {
                continue;
            }
            until_active(cluster, ns, "a").await;
            until_error(cluster, ns, "b", "other Lumigo instances in this namespace").await;
            let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
            assert!(is_injected(&cart.template().await));
            return;
        }
        panic!("no two Lumigoes were created in the same second");
    });
}

#[test]
fn an_event_is_told_once_and_only_where_something_changed() {
    run(async |cluster| {
        let ns = "told-once";
        cluster.namespace(ns, None).await;
        let old = Subject::create(cluster, &deployment(ns, "old")).await;
        admit(cluster, ns, &json!({})).await;
        old.until_injected().await;
        let new = Subject::create(cluster, &deployment(ns, "new")).await;
        for subject in [&old, &new] {
            subject.until_event("LumigoAddedInstrumentation").await;
            // The deployment controller hands the template on to a ReplicaSet of its own.
            let prefix = format!("{}-", subject.name);
            until("the template is handed on", || async {
                let sets = cluster.list("apps/v1", "replicasets", ns).await;
                let of_it =
                    |set: &&Value| set.pointer("/metadata/name").is_some_and(|it| it.to_string().contains(&prefix));
                sets.iter().filter(of_it).any(|set| is_injected(&set["spec"]["template"]))
            })
            .await;
            subject.merge(&json!({ "metadata": { "labels": { "team": "checkout" } } })).await;
        }
        witness(cluster, ns).await;
        let mut told = cluster.list("v1", "events", ns).await;
        told.retain(|event| event["reason"].as_str().is_some_and(|reason| reason.starts_with("Lumigo")));
        let told: Vec<_> =
            told.iter().map(|it| (&it["involvedObject"]["kind"], &it["involvedObject"]["name"])).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|(kind, _)| *kind == "Deployment"), "{told:?}");
        let by_webhook = events(cluster, ns, "new", "LumigoAddedInstrumentation").await;
        let message = "Adding Lumigo instrumentation (trigger: injector webhook, acting on behalf of the 'told-once/lumigo' Lumigo resource)";
        assert!(by_webhook[0]["message"].as_str().is_some_and(|it| it.starts_with(message)), "{by_webhook:?}");
        assert_eq!(by_webhook[0]["source"]["component"], component("injector-webhook"));
        let uid = new.object().await.pointer("/metadata/uid").cloned();
        assert_eq!(by_webhook[0].pointer("/involvedObject/uid"), uid.as_ref());
    });
}

#[test]
fn every_kind_is_injected_and_listed_in_the_order_of_the_original() {
    run(async |cluster| {
        let ns = "every-kind";
        cluster.namespace(ns, None).await;
        let mut subjects = Vec::new();
        for kind in WorkloadKind::ALL.into_iter().filter(|kind| *kind != Job) {
            for name in ["b", "a"] {
                let name = &format!("{}-{name}", kind.as_str().to_lowercase());
                let subject = Subject::create(cluster, &workload(kind, ns, name, &["app"])).await;
                subjects.push((subject.template().await, subject));
            }
        }
        admit(cluster, ns, &json!({})).await;
        let job = Subject::create(cluster, &workload(Job, ns, "job-a", &["app"])).await;
        assert!(is_injected(&job.template().await));
        for (_, subject) in &subjects {
            subject.until_injected().await;
            assert_eq!(subject.generation().await, 2, "{subject}");
        }
        let order = ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "CronJob"];
        let both = |kind: &&str| ["a", "b"].map(|name| format!("{kind}/{}-{name}", kind.to_lowercase()));
        let wanted: Vec<String> = order.iter().flat_map(both).chain(["Job/job-a".to_owned()]).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        until_listed(cluster, ns, &wanted).await;

        delete_lumigo(cluster, ns).await;
        for (before, subject) in &subjects {
            assert_eq!(subject.template().await, *before, "{subject}");
            assert_eq!((subject.generation().await, subject.writes()), (3, 2), "{subject}");
            assert_eq!(version_label(&subject.object().await), None, "{subject}");
        }
    });
}

#[test]
fn a_settled_lumigo_is_written_no_more_and_only_its_own_secret_is_read() {
    run(async |cluster| {
        let ns = "settled";
        tenant(cluster, ns, &json!({})).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        until_listed(cluster, ns, &["Deployment/cart"]).await;
        cart.until_event("LumigoAddedInstrumentation").await;
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        let is_here = |entry: &epiphyte_testbed::Entry| entry.object_ref.as_ref().is_some_and(|it| it.namespace == ns);
        let reads = || {
            let entries = cluster.plane.audit().since(mark).expect("the audit log is read");
            entries.into_iter().filter(|entry| is_here(entry) && entry.is_about("secrets")).collect::<Vec<_>>()
        };
        until("the secret is read again, and again", || async { reads().len() >= 2 }).await;
        for read in reads() {
            let name = read.object_ref.map(|it| it.name);
            assert_eq!((read.verb.as_str(), name.as_deref()), ("get", Some("lumigo-credentials")));
        }
        let written: Vec<_> = cluster.operator_writes(mark).into_iter().filter(is_here).collect();
        assert!(written.is_empty(), "{written:?}");
        let everything = cluster.plane.audit().since(cluster.plane.audit().start()).expect("the audit log is read");
        let lists = everything.iter().filter(|entry| {
            entry.user.username == OPERATOR && entry.is_about("secrets") && ["list", "watch"].contains(&&*entry.verb)
        });
        assert_eq!(lists.count(), 0, "nothing lists or watches secrets");
    });
}
