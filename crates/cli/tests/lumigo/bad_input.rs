//! What people have in their workloads that stands in our way: each gets its reason, and nothing of theirs is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use epiphyte_api::WorkloadKind::{Deployment, Job};
use serde_json::{Value, json};

use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// The variables of the injector delivery besides `LD_PRELOAD`.
const OURS: [&str; 6] = epiphyte_api::names::INJECTOR_VARIABLES;

#[test]
fn a_volume_or_a_mount_of_the_users_where_ours_would_be_is_left_alone_with_its_reason() {
    run(async |cluster| {
        let ns = "taken";
        cluster.namespace(ns, None).await;
        let mut volume = deployment(ns, "volume");
        let pod = volume.pointer_mut("/spec/template/spec").expect("a pod");
        pod["volumes"] = json!([{ "name": "lumigo-injector", "emptyDir": {} }]);
        pod["containers"][0]["volumeMounts"] = json!([{ "name": "lumigo-injector", "mountPath": "/data" }]);
        let volume = Subject::create(cluster, &volume).await;
        let mut mount = workload(Deployment, ns, "mount", &["app", "other"]);
        let pod = mount.pointer_mut("/spec/template/spec").expect("a pod");
        pod["volumes"] = json!([{ "name": "mine", "emptyDir": {} }]);
        pod["containers"][0]["volumeMounts"] = json!([{ "name": "mine", "mountPath": "/opt/lumigo" }]);
        let mount = Subject::create(cluster, &mount).await;
        let before = [volume.object().await, mount.object().await];

        admit(cluster, ns, &json!({})).await;
        volume.until_event("VolumeTaken").await;
        mount.until_event("MountPathTaken").await;
        until("the other container is injected", || async {
            variable(&mount.template().await, "other", "LUMIGO_TRACER_TOKEN").is_some()
        })
        .await;
        assert_eq!(variable(&mount.template().await, "app", "LUMIGO_TRACER_TOKEN"), None);
        assert_eq!(volume.writes(), 0);
        delete_lumigo(cluster, ns).await;
        assert_eq!(
            [volume.object().await["spec"].clone(), mount.object().await["spec"].clone()],
            before.map(|it| it["spec"].clone())
        );
    });
}

#[test]
fn a_container_that_has_our_variables_already_keeps_them_with_its_reason() {
    run(async |cluster| {
        let ns = "variables";
        cluster.namespace(ns, None).await;
        let from = json!({ "fieldRef": { "fieldPath": "metadata.name" } });
        let literal = OURS.map(|name| json!({ "name": name, "value": "mine" }));
        let reference = OURS.map(|name| json!({ "name": name, "valueFrom": from }));
        let preload = [json!({ "name": "LD_PRELOAD", "valueFrom": from })];
        let one = |name: &str, variables: &[Value]| {
            let mut manifest = workload(Deployment, ns, name, &["app", "other"]);
            manifest["spec"]["template"]["spec"]["containers"][0]["env"] = json!(variables);
            manifest
        };
        let mut subjects = Vec::new();
        for (name, variables, reason) in [
            ("literal", &literal[..], "VariableTaken"),
            ("reference", &reference[..], "VariableTaken"),
            ("preload", &preload[..], "PreloadReferenced"),
        ] {
            let subject = Subject::create(cluster, &one(name, variables)).await;
            subjects.push((subject.template().await, subject, reason));
        }
        // Each of them alone is enough.
        for name in OURS {
            let variable = json!({ "name": name, "value": "mine" });
            let subject = Subject::create(cluster, &one(&name.to_lowercase().replace('_', "-"), &[variable])).await;
            subjects.push((subject.template().await, subject, "VariableTaken"));
        }

        admit(cluster, ns, &json!({})).await;
        for (before, subject, reason) in &subjects {
            subject.until_event(reason).await;
            until(&format!("the other container of {subject} is injected"), || async {
                variable(&subject.template().await, "other", "LUMIGO_TRACER_TOKEN").is_some()
            })
            .await;
            let app = |template: &Value| template.pointer("/spec/containers/0").cloned();
            assert_eq!(app(&subject.template().await), app(before), "{subject}");
        }
        delete_lumigo(cluster, ns).await;
        for (before, subject, _) in &subjects {
            assert_eq!(subject.template().await, *before, "{subject}");
        }
    });
}

#[test]
fn a_job_that_runs_already_is_left_alone_and_told_and_a_cron_job_of_old_is_not() {
    run(async |cluster| {
        let ns = "runs-already";
        cluster.namespace(ns, None).await;
        let job = Subject::create(cluster, &workload(Job, ns, "job", &["app"])).await;
        let cron = Subject::create(cluster, &workload(epiphyte_api::WorkloadKind::CronJob, ns, "cron", &["app"])).await;
        let before = job.object().await;
        admit(cluster, ns, &json!({})).await;
        cron.until_injected().await;
        job.until_event("LumigoCannotAddInstrumentation").await;
        let told = events(cluster, ns, "job", "LumigoCannotAddInstrumentation").await;
        assert_eq!(told.len(), 1);
        assert!(told[0]["message"].as_str().is_some_and(|it| it.contains("JobImmutable")), "{told:?}");
        assert_eq!(job.object().await["spec"], before["spec"]);
        assert_eq!(job.writes(), 0);
        assert_eq!(listed(cluster, ns, "lumigo").await, ["CronJob/cron"]);
        delete_lumigo(cluster, ns).await;
    });
}

#[test]
fn a_workload_that_somebody_edits_all_the_time_is_injected_once_and_restored_once() {
    run(async |cluster| {
        let ns = "contended";
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let before = cart.template().await;
        let over = AtomicBool::new(false);
        let edit = async {
            let object = Object { api_version: "apps/v1", plural: "deployments", namespace: ns, name: "cart" };
            let mut edits = 0;
            while !over.load(Ordering::Relaxed) {
                edits += 1;
                // The status, since with any other edit the webhook would inject.
                cluster.merge(&object, "status", &json!({ "status": { "unavailableReplicas": edits % 2 } })).await;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let inject = async {
            admit(cluster, ns, &json!({})).await;
            cart.until_injected().await;
            let injected = cart.generation().await;
            delete_lumigo(cluster, ns).await;
            over.store(true, Ordering::Relaxed);
            injected
        };
        let ((), injected) = tokio::join!(edit, inject);
        assert_eq!(cart.template().await, before);
        assert_eq!((injected, cart.generation().await), (2, 3));
    });
}
