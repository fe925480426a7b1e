//! The six kinds of workload.

use epiphyte_api::WorkloadKind::{self, CronJob, DaemonSet, Job, ReplicaSet, StatefulSet};
use epiphyte_testbed::Entry;

use crate::SHARED;
use crate::subject::*;
use crate::support::*;

#[test]
fn a_device_serves_daemon_sets_stateful_sets_and_cron_jobs_too() {
    SHARED.run(async |cluster| {
        cluster.namespace("kinds-device", Some("true")).await;
        let mut subjects = Vec::new();
        for kind in [DaemonSet, StatefulSet, CronJob] {
            subjects.push(Subject::create(cluster, &workload(kind, "kinds-device", "work", &["app"])).await);
        }
        for subject in subjects {
            subject.answer(&[("app", "java")]).await;
            subject.until_devices(&[("app", JAVA)]).await;
            assert_eq!(subject.generation().await, 2, "{subject}");
        }
    });
}

#[test]
fn a_device_serves_neither_a_bare_replica_set_nor_a_job_and_an_event_says_so() {
    SHARED.run(async |cluster| {
        cluster.namespace("kinds-unserved", None).await;
        for kind in [ReplicaSet, Job] {
            let manifest = annotated(workload(kind, "kinds-unserved", &kind.as_str().to_lowercase(), &["app"]), "true");
            let subject = Subject::create(cluster, &manifest).await;
            subject.until_event("KindNotServedByDevice").await;
            subject.assert_untouched().await;
        }
    });
}

#[test]
fn a_lumigo_has_every_kind_injected_that_can_be_changed() {
    SHARED.run(async |cluster| {
        cluster.namespace("kinds-injector", None).await;
        let mut subjects = Vec::new();
        for kind in WorkloadKind::ALL.into_iter().filter(|kind| *kind != Job) {
            subjects.push(Subject::create(cluster, &workload(kind, "kinds-injector", "work", &["app"])).await);
        }
        cluster.lumigo("kinds-injector").await;
        for subject in subjects {
            subject.until_injected().await;
            assert_eq!(subject.generation().await, 2, "{subject}");
        }
    });
}

#[test]
fn a_job_that_exists_is_not_edited_and_a_new_one_is_instrumented_as_it_is_created() {
    SHARED.run(async |cluster| {
        cluster.namespace("jobs", None).await;
        let old = Subject::create(cluster, &workload(Job, "jobs", "old", &["app"])).await;
        let before = old.template().await;
        cluster.lumigo("jobs").await;
        old.until_event("LumigoCannotAddInstrumentation").await;
        let new = Subject::create(cluster, &workload(Job, "jobs", "new", &["app"])).await;
        assert!(is_injected(&new.template().await));
        assert_eq!(new.generation().await, 1);
        witness(cluster, "jobs").await;
        assert_eq!(old.template().await, before);
        assert_eq!((old.writes(), new.writes()), (0, 0));
        assert!(!cluster.events("jobs", "new").await.contains(&"LumigoCannotAddInstrumentation".to_owned()));
    });
}

#[test]
fn a_bare_replica_set_is_injected_by_its_label() {
    SHARED.run(async |cluster| {
        cluster.namespace("bare-replica-set", None).await;
        let bare = Subject::create(cluster, &workload(ReplicaSet, "bare-replica-set", "bare", &["app"])).await;
        bare.label(Some("true")).await;
        bare.until_injected().await;
        assert_eq!(bare.generation().await, 2);
    });
}

#[test]
fn a_workload_with_a_controller_is_its_owners_business() {
    SHARED.run(async |cluster| {
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        cluster.namespace("owned", Some("true")).await;
        let cart = Subject::create(cluster, &deployment("owned", "cart")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        // The controller hands the template on.
        until("a ReplicaSet asks for the device", || async {
            let sets = cluster.list("apps/v1", "replicasets", "owned").await;
            sets.iter().any(|set| !devices_of(ReplicaSet, set).is_empty())
        })
        .await;
        witness(cluster, "owned").await;
        assert_eq!(cluster.list("odigos.io/v1alpha1", "instrumentedapplications", "owned").await.len(), 1);
        let writes = cluster.operator_writes(mark);
        let in_namespace = |entry: &&Entry| entry.object_ref.as_ref().is_some_and(|it| it.namespace == "owned");
        assert!(!writes.iter().filter(in_namespace).any(|entry| entry.is_about("replicasets")));
    });
}
