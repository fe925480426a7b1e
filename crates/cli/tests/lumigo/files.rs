//! The files by which the telemetry proxy learns which namespaces and which tokens count.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::SHARED;
use crate::scene::*;
use crate::support::*;

#[test]
fn an_active_namespace_is_in_the_file_with_its_name_its_uid_and_its_token_and_goes_with_its_lumigo() {
    run(async |cluster| {
        let ns = "in-the-file";
        let own = token(7);
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, &own)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        until("the namespace is in the file", || async { monitored(SHARED.operator(), ns).is_some() }).await;
        let namespace = cluster.get("v1", "namespaces", "", ns).await.expect("the namespace");
        let wanted = json!({ "name": ns, "uid": namespace["metadata"]["uid"], "token": own });
        assert_eq!(monitored(SHARED.operator(), ns), Some(wanted));
        assert!(admits(SHARED.operator(), &own));

        let text = SHARED.operator().proxy_file("namespaces_to_monitor.json").expect("the file");
        let list: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let names: Vec<&str> = list.iter().map(|it| it["name"].as_str().expect("a name")).collect();
        assert!(names.is_sorted(), "{names:?}");
        for name in ["namespaces_to_monitor.json", "tokens.json"] {
            let metadata = std::fs::metadata(SHARED.operator().settings.with_file_name(name)).expect("the file");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name} is for its owner alone");
        }

        delete_lumigo(cluster, ns).await;
        until("the namespace is off the file", || async { monitored(SHARED.operator(), ns).is_none() }).await;
        until("the token is off the file", || async { !admits(SHARED.operator(), &own) }).await;
    });
}

#[test]
fn a_namespace_whose_events_nobody_wants_is_not_in_the_file_and_its_token_is_good_all_the_same() {
    run(async |cluster| {
        let ns = "no-events";
        let own = token(8);
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, &own)).await;
        cluster.apply(&lumigo_that(ns, "lumigo", &json!({ "infrastructure": { "enabled": false } }))).await;
        until("the token is in its file", || async { admits(SHARED.operator(), &own) }).await;
        assert_eq!(monitored(SHARED.operator(), ns), None);
        change(cluster, ns, &json!({ "infrastructure": { "enabled": true } })).await;
        until("the namespace is in the file", || async { monitored(SHARED.operator(), ns).is_some() }).await;
        change(cluster, ns, &json!({ "infrastructure": { "kubeEvents": { "enabled": false } } })).await;
        until("the namespace is off the file", || async { monitored(SHARED.operator(), ns).is_none() }).await;
        assert!(admits(SHARED.operator(), &own));
    });
}
