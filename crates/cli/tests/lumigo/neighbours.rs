//! Injection beside what others have in a workload or ask of its pods.

use serde_json::{Value, json};

use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// The pods of a Deployment that have our init container.
async fn injected_pods(cluster: &Cluster, namespace: &str, name: &str) -> Vec<Value> {
    let mut pods = cluster.list("v1", "pods", namespace).await;
    pods.retain(|pod| {
        let inits = pod.pointer("/spec/initContainers").and_then(Value::as_array);
        pod.pointer("/metadata/labels/app") == Some(&json!(name))
            && inits.into_iter().flatten().any(|init| init["name"] == "lumigo-injector")
    });
    pods
}

#[test]
fn a_preload_of_the_users_own_is_chained_and_comes_back() {
    run(async |cluster| {
        let ns = "chained";
        cluster.namespace(ns, None).await;
        let mut manifest = deployment(ns, "cart");
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{ "name": "LD_PRELOAD", "value": "/usr/lib/libjemalloc.so.2" }, { "name": "MINE", "value": "1" }]);
        let cart = Subject::create(cluster, &manifest).await;
        let before = cart.template().await;
        admit(cluster, ns, &json!({})).await;
        let chain = "/usr/lib/libjemalloc.so.2:/opt/lumigo/injector/lumigo_injector.so";
        until("the preload is chained", || async {
            value(&cart.template().await, "LD_PRELOAD").as_deref() == Some(chain)
        })
        .await;
        delete_lumigo(cluster, ns).await;
        assert_eq!(cart.template().await, before);
    });
}

#[test]
fn a_namespace_under_restricted_pod_security_admits_the_pods_of_what_is_injected() {
    run(async |cluster| {
        let ns = "restricted";
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        cluster
            .apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ns, "labels": labels } }))
            .await;
        admit(cluster, ns, &json!({})).await;
        // It complies by its container and not by its pod.
        let mut manifest = deployment(ns, "cart");
        manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "runAsNonRoot": true,
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        let cart = Subject::create(cluster, &manifest).await;
        assert!(is_injected(&cart.template().await));
        until("its pod is admitted", || async { !injected_pods(cluster, ns, "cart").await.is_empty() }).await;
    });
}

#[test]
fn a_quota_and_a_limit_range_admit_the_pods_of_what_is_injected_and_a_guaranteed_pod_stays_guaranteed() {
    run(async |cluster| {
        let ns = "quota";
        tenant(cluster, ns, &json!({})).await;
        let hard = json!({ "requests.cpu": "2", "requests.memory": "2Gi", "limits.cpu": "2", "limits.memory": "2Gi" });
        cluster
            .create(&json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "quota", "namespace": ns },
                "spec": { "hard": hard },
            }))
            .await;
        let limits = json!([{ "type": "Container", "max": { "cpu": "1", "memory": "1Gi" }, "maxLimitRequestRatio": { "cpu": "1" } }]);
        cluster
            .create(&json!({
                "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "limits", "namespace": ns },
                "spec": { "limits": limits },
            }))
            .await;
        until("the quota is counted", || async {
            let quota = cluster.get("v1", "resourcequotas", ns, "quota").await.expect("the quota");
            quota.pointer("/status/hard/limits.cpu").is_some()
        })
        .await;
        let mut manifest = deployment(ns, "cart");
        let resources = json!({ "cpu": "100m", "memory": "128Mi" });
        manifest["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({ "limits": resources, "requests": resources });
        let cart = Subject::create(cluster, &manifest).await;
        assert!(is_injected(&cart.template().await));
        let pods = eventually("its pod is admitted", || async {
            let pods = injected_pods(cluster, ns, "cart").await;
            (!pods.is_empty()).then_some(pods)
        })
        .await;
        assert_eq!(pods[0].pointer("/status/qosClass"), Some(&json!("Guaranteed")));
    });
}

#[test]
fn a_workload_of_another_controller_is_left_to_it() {
    run(async |cluster| {
        let ns = "owned-by-other";
        tenant(cluster, ns, &json!({})).await;
        let owner = cluster
            .create(
                &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "rollout", "namespace": ns } }),
            )
            .await;
        let mut manifest = deployment(ns, "cart");
        manifest["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "rollout", "uid": owner["metadata"]["uid"], "controller": true,
        }]);
        let cart = Subject::create(cluster, &manifest).await;
        let free = Subject::create(cluster, &deployment(ns, "free")).await;
        free.until_injected().await;
        witness(cluster, ns).await;
        cart.assert_untouched().await;
        assert_eq!(listed(cluster, ns, "lumigo").await, ["Deployment/free"]);
    });
}
