//! Scenarios of the webhook, and what they are made of.

mod review;
mod server;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use epiphyte_plan::{LumigoFact, TokenRef};
use jiff::Timestamp;
use json_patch::Patch;
use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::SharedIndex;
use crate::index::{Fact, Index, LumigoRecord};
use crate::settings::Settings;

/// An index in which the namespace `shop` has an active Lumigo, so that everything in it gets the injector.
fn index() -> SharedIndex {
    let index = empty_index();
    set_lumigo(&index, |_| {});
    index
}

/// An index in which nothing is marked.
fn empty_index() -> SharedIndex {
    Arc::new(RwLock::new(Index::new(&Settings::default(), "odigos-system")))
}

fn set_lumigo(index: &SharedIndex, change: impl FnOnce(&mut LumigoFact)) {
    let mut fact = LumigoFact {
        name: "lumigo".into(),
        created: None,
        deleting: false,
        active: true,
        injects: true,
        injects_existing: true,
        removes_on_deletion: true,
        traces: true,
        logs: false,
        token: Some(TokenRef { name: "credentials".into(), key: "token".into() }),
    };
    change(&mut fact);
    LumigoRecord { namespace: "shop".into(), fact, ..LumigoRecord::default() }
        .apply(&mut index.write(), Timestamp::UNIX_EPOCH);
}

/// A Deployment with one container of five variables. The request alone says where it is.
fn deployment() -> Value {
    let env: Vec<Value> = (0..5).map(|n| json!({ "name": format!("VARIABLE_{n}"), "value": "some value" })).collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "cart", "labels": { "app": "cart" } },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "cart" } },
            "template": {
                "metadata": { "labels": { "app": "cart" } },
                "spec": {
                    "containers": [{
                        "name": "app",
                        "image": "registry.example/cart:1",
                        "env": env,
                        "ports": [{ "containerPort": 8080 }],
                        "resources": { "limits": { "memory": "256Mi" }, "requests": { "cpu": "100m" } },
                        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 } },
                    }],
                },
            },
        },
    })
}

/// A review in the namespace `shop`.
fn request(operation: &str, object: &Value, old: Option<&Value>) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": { "group": "apps", "version": "v1", "kind": "Deployment" },
            "resource": { "group": "apps", "version": "v1", "resource": "deployments" },
            "name": "cart",
            "namespace": "shop",
            "operation": operation,
            "userInfo": { "username": "admin", "groups": ["system:authenticated"] },
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": { "apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions" },
        },
    })
}

/// The patch of a response, if it has one. Every response allows, and answers the request.
fn patch_of(response: &[u8]) -> Option<Patch> {
    let review: Value = serde_json::from_slice(response).expect("a response is JSON");
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(review["kind"], "AdmissionReview");
    let response = &review["response"];
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["allowed"], true);
    let patch = response.get("patch")?.as_str().expect("a patch is text");
    assert_eq!(response["patchType"], "JSONPatch");
    let decoded = BASE64.decode(patch).expect("a patch is in base64");
    Some(serde_json::from_slice(&decoded).expect("a patch is JSON"))
}
