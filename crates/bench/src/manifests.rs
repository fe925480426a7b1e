//! Manifests of the size and shape that clusters are full of.

use serde_json::{Map, Value, json};

/// How large a Deployment is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Regular containers.
    pub(crate) containers: usize,
    /// Variables of each.
    pub(crate) variables: usize,
}

impl Shape {
    pub(crate) const fn new(containers: usize, variables: usize) -> Self {
        Self { containers, variables }
    }
}

/// A Deployment as a delivery tool applies it: no pods, so that no controller has work with it.
pub(crate) fn deployment(namespace: &str, name: &str, shape: Shape) -> Value {
    let labels = json!({
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": format!("{name}-production"),
        "app.kubernetes.io/part-of": "storefront",
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "service-4.12.1",
        "team": "checkout",
    });
    let selector = json!({ "app.kubernetes.io/name": name });
    let containers: Vec<Value> = (0..shape.containers).map(|number| container(name, number, shape.variables)).collect();
    let pod = json!({
        "serviceAccountName": name,
        "terminationGracePeriodSeconds": 45,
        "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": containers,
        "volumes": [
            { "name": "configuration", "configMap": { "name": format!("{name}-configuration"), "defaultMode": 420 } },
            { "name": "certificates", "secret": { "secretName": format!("{name}-tls"), "defaultMode": 288 } },
            { "name": "scratch", "emptyDir": { "sizeLimit": "1Gi" } },
        ],
        "tolerations": [{ "key": "workload", "operator": "Equal", "value": "service", "effect": "NoSchedule" }],
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": selector },
        }],
        "affinity": { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": selector } },
        }] } },
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "annotations": {
                "meta.helm.sh/release-name": name,
                "meta.helm.sh/release-namespace": namespace,
                "deployment.kubernetes.io/revision": "17",
            },
        },
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 5,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": 0 } },
            "selector": { "matchLabels": selector },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "9090",
                        "checksum/config": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
                    },
                },
                "spec": pod,
            },
        },
    })
}

fn container(workload: &str, number: usize, variables: usize) -> Value {
    let name = if number == 0 { "app".to_owned() } else { format!("sidecar-{number}") };
    let probe = |path: &str, seconds: u32| json!({ "httpGet": { "path": path, "port": "http", "scheme": "HTTP" }, "periodSeconds": seconds, "timeoutSeconds": 2, "failureThreshold": 3 });
    json!({
        "name": name,
        "image": format!("images.example/storefront/{workload}/{name}:4.12.1-8f3a2bc"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config=/etc/service/service.yaml", "--log-format=json"],
        "ports": [
            { "name": "http", "containerPort": 8080, "protocol": "TCP" },
            { "name": "metrics", "containerPort": 9090, "protocol": "TCP" },
        ],
        "env": (0..variables).map(|number| variable(workload, number)).collect::<Vec<_>>(),
        "resources": { "requests": { "cpu": "250m", "memory": "512Mi" }, "limits": { "memory": "1Gi" } },
        "volumeMounts": [
            { "name": "configuration", "mountPath": "/etc/service", "readOnly": true },
            { "name": "certificates", "mountPath": "/etc/certificates", "readOnly": true },
            { "name": "scratch", "mountPath": "/tmp" },
        ],
        "startupProbe": probe("/started", 5),
        "readinessProbe": probe("/ready", 10),
        "livenessProbe": probe("/live", 20),
        "lifecycle": { "preStop": { "exec": { "command": ["sleep", "10"] } } },
        "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    })
}

/// Most variables are literals, some come from elsewhere.
fn variable(workload: &str, number: usize) -> Value {
    let name = format!("STOREFRONT_SETTING_{number:02}");
    let from = |source: Value| json!({ "name": name, "valueFrom": source });
    match number % 5 {
        2 => from(
            json!({ "secretKeyRef": { "name": format!("{workload}-credentials"), "key": format!("setting-{number}") } }),
        ),
        3 => from(
            json!({ "configMapKeyRef": { "name": format!("{workload}-settings"), "key": format!("setting-{number}") } }),
        ),
        4 => from(json!({ "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } })),
        _ => json!({ "name": name, "value": format!("https://backend-{number}.storefront.svc.cluster.local:8443/v1") }),
    }
}

/// The same, as stored after several managers have written it.
pub(crate) fn stored(mut deployment: Value) -> Value {
    let manager = |manager: &str, operation: &str, fields: Value| {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "2026-03-04T05:06:07Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    let mut owned = deployment.clone();
    if let Some(owned) = owned.as_object_mut() {
        owned.retain(|key, _| key == "spec");
    }
    let annotations = json!({ "f:metadata": { "f:annotations": { "f:deployment.kubernetes.io/revision": {} } } });
    let managers = json!([
        manager("helm", "Apply", fields(&owned)),
        manager("storefront-autoscaler", "Update", json!({ "f:spec": { "f:replicas": {} } })),
        manager("kube-controller-manager", "Update", annotations),
    ]);
    if let Some(metadata) = deployment.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), managers);
    }
    deployment
}

/// The set of a value's fields, in the API server's notation. Lists of named things are sets of these; any other list is
/// owned as a whole.
fn fields(value: &Value) -> Value {
    let mut set = Map::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        set.insert(format!("f:{key}"), fields(value));
    }
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let keys: Vec<Option<String>> = items.iter().map(key).collect();
    if keys.iter().all(Option::is_some) {
        for (key, item) in keys.into_iter().flatten().zip(items) {
            let mut item = fields(item);
            if let Some(item) = item.as_object_mut() {
                item.insert(".".to_owned(), json!({}));
            }
            set.insert(key, item);
        }
    }
    Value::Object(set)
}

/// How the API server tells an item of a list from the others.
fn key(item: &Value) -> Option<String> {
    if let Some(path) = item.get("mountPath") {
        return Some(format!("k:{}", json!({ "mountPath": path })));
    }
    if let (Some(port), Some(protocol)) = (item.get("containerPort"), item.get("protocol")) {
        return Some(format!("k:{}", json!({ "containerPort": port, "protocol": protocol })));
    }
    item.get("name").map(|name| format!("k:{}", json!({ "name": name })))
}

/// A request of the API server to look at an object that is being created.
pub(crate) fn review(object: &Value) -> Value {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = json!({ "group": "apps", "version": "v1", "kind": "Deployment" });
    let resource = json!({ "group": "apps", "version": "v1", "resource": "deployments" });
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": text("/metadata/name"),
            "namespace": text("/metadata/namespace"),
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:delivery:helm",
                "uid": "4b2d3d0e-7b0c-4f0e-8a0e-3e1c6d5f7a10",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:delivery", "system:authenticated"],
            },
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "helm" },
        },
    })
}

/// The Secret with the token of [`lumigo`].
pub(crate) fn token(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "lumigo-credentials", "namespace": namespace },
        "stringData": { "token": "t_0123456789abcdef01234" },
    })
}

/// A Lumigo with a token.
pub(crate) fn lumigo(namespace: &str) -> Value {
    json!({
        "apiVersion": "operator.lumigo.io/v1",
        "kind": "Lumigo",
        "metadata": { "name": "lumigo", "namespace": namespace },
        "spec": { "lumigoToken": { "secretRef": { "name": "lumigo-credentials", "key": "token" } } },
    })
}

/// The status of a Lumigo that counts.
pub(crate) fn active() -> Value {
    json!({ "conditions": [{
        "type": "Active", "status": "True", "reason": "Active", "message": "", "lastTransitionTime": "2026-03-04T05:06:07Z",
    }] })
}

/// A namespace with annotations.
pub(crate) fn namespace(name: &str, annotations: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "annotations": annotations } })
}
