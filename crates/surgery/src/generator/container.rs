//! Generated containers.

use epiphyte_api::{Device, names};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use super::{Scope, list, one_of, perhaps, put};

/// A container without a name.
pub(super) fn container(scope: Scope) -> impl Strategy<Value = Value> {
    let env = list(variable().boxed(), 5, scope);
    let security = perhaps([json!({}), json!({ "runAsNonRoot": true }), json!({ "runAsUser": 0 })]);
    let command = perhaps([json!(["serve", "--port=8080"])]);
    (env, resources(scope), mounts(scope), security, command).prop_map(|(env, resources, mounts, security, command)| {
        let mut container = json!({ "image": "shop/checkout:1.4.2" });
        put(&mut container, "env", env);
        put(&mut container, "resources", resources);
        put(&mut container, "volumeMounts", mounts);
        put(&mut container, "securityContext", security);
        put(&mut container, "command", command);
        container
    })
}

/// From a small pool, so that duplicates come by themselves.
fn variable() -> impl Strategy<Value = Value> {
    let reference = json!({ "secretKeyRef": { "name": "settings", "key": "value", "optional": true } });
    let plain = one_of([
        json!({ "name": "PORT", "value": "8080" }),
        json!({ "name": "EMPTY" }),
        json!({ "name": "PASSWORD", "valueFrom": reference }),
        json!({ "name": "POD", "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.name" } } }),
        json!({ "name": "NODE_OPTIONS", "value": "--max-old-space-size=512" }),
        json!({ "name": "QUEUE_URL", "value": "amqp://queue/~a/b" }),
    ]);
    let ours = (proptest::sample::select(names::INJECTOR_VARIABLES.to_vec()), 0..3_u8);
    let ours = ours.prop_map(move |(name, sort)| match sort {
        0 => json!({ "name": name, "value": "the user's" }),
        1 => json!({ "name": name, "valueFrom": reference }),
        _ => json!({ "name": name }),
    });
    prop_oneof![12 => plain, 1 => ours, 3 => preload()]
}

fn preload() -> impl Strategy<Value = Value> {
    let theirs = "/usr/lib/libjemalloc.so.2";
    let literal = |value: String| json!({ "name": names::LD_PRELOAD, "value": value });
    let theirs = prop_oneof![
        3 => Just(literal(theirs.to_owned())),
        1 => Just(literal(format!("{theirs} /usr/lib/libother.so"))),
        1 => Just(literal(format!("{theirs}:"))),
        1 => Just(literal(String::new())),
        1 => Just(json!({ "name": names::LD_PRELOAD })),
    ];
    let with_ours = one_of([names::INJECTOR_PRELOAD, names::DEVICE_PRELOAD].into_iter().flat_map(|ours| {
        [ours.to_owned(), format!("/usr/lib/a.so:{ours}"), format!("{ours}:/usr/lib/a.so"), format!("/x{ours}")]
            .map(literal)
    }));
    let reference = json!({ "configMapKeyRef": { "name": "settings", "key": "preload", "optional": true } });
    let reference = Just(json!({ "name": names::LD_PRELOAD, "valueFrom": reference }));
    prop_oneof![6 => theirs, 1 => with_ours, 1 => reference]
}

fn resources(scope: Scope) -> BoxedStrategy<Option<Value>> {
    let python = Device::Python.resource();
    let valid = perhaps([
        json!({}),
        json!({ "limits": {} }),
        json!({ "limits": { "cpu": "500m", "memory": "256Mi" } }),
        json!({ "requests": { "cpu": "100m" } }),
        json!({ "limits": { "memory": "1Gi" }, "requests": { "memory": "512Mi" } }),
    ]);
    let ours = perhaps([
        json!({ "limits": { python: "1" } }),
        json!({ "limits": { python: "1", "cpu": "1" }, "requests": { python: "1", "cpu": "1" } }),
        json!({ "limits": { "instrumentation.odigos.io/ruby-native-community": "1" } }),
    ]);
    match scope {
        Scope::Valid => prop_oneof![12 => valid, 1 => ours].boxed(),
        Scope::Anything => {
            let invalid = perhaps([
                json!(null),
                json!({ "limits": null, "requests": {} }),
                json!({ "limits": { "cpu": null } }),
                json!({ "requests": { python: "1" } }),
                json!({ "limits": { python: "2", Device::Java.resource(): "1" } }),
                json!({ "claims": [], "limits": { "memory": "1Gi" } }),
            ]);
            prop_oneof![12 => valid, 1 => ours, 2 => invalid].boxed()
        }
    }
}

/// Mounts at distinct paths, of volumes that [`super::template`] makes.
fn mounts(scope: Scope) -> BoxedStrategy<Option<Value>> {
    let harmless = ["/data", "/optional", "/opt/lumigo-data", "/"];
    let in_the_way = ["/opt", "/opt/lumigo", "/opt/lumigo/x", "/var/odigos", "/var/odigos/y", "/var"];
    let data = |path: &'static str| json!({ "name": "data", "mountPath": path });
    let injector = |path: &str| json!({ "name": names::INJECTOR_NAME, "mountPath": path });
    let some = |pool: Vec<Value>, most: usize| subsequence(pool, 1..=most).prop_map(|mounts| Some(mounts.into()));
    prop_oneof![
        6 => super::nothing(scope),
        6 => some(harmless.map(data).into(), 3),
        1 => some(harmless.into_iter().chain(in_the_way).map(data).collect(), 3),
        1 => perhaps([json!([injector("/opt/lumigo")]), json!([injector("/elsewhere")]), json!([data("/data"), injector("/opt/lumigo/")])]),
    ]
    .boxed()
}
