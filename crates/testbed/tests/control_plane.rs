//! What a control plane of the test bed does, against the real programs.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use epiphyte_testbed::{ADMIN, Component, ControlPlane, FakeNode};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kube::Api;
use kube::api::{ListParams, ObjectMeta, PostParams};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("key".to_owned(), "value".to_owned())])),
        ..ConfigMap::default()
    }
}

async fn create(plane: &ControlPlane, name: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(), "default");
    maps.create(&PostParams::default(), &config_map(name)).await.expect("create a ConfigMap");
}

#[tokio::test]
async fn a_control_plane_serves_clients_kubeconfigs_and_kubectl() {
    let plane = ControlPlane::start().await.expect("start");
    let namespaces: Api<Namespace> = Api::all(plane.client());
    assert!(namespaces.get("default").await.is_ok());

    let output = plane.kubectl().args(["get", "namespaces", "--output", "name"]).output().expect("run kubectl");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("namespace/kube-system"), "{said}{}", String::from_utf8_lossy(&output.stderr));

    let mode = std::fs::metadata(plane.kubeconfig()).expect("kubeconfig").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn two_control_planes_run_side_by_side_and_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(ControlPlane::start(), ControlPlane::start());
    let (one, other) = (one.expect("start one"), other.expect("start the other"));
    assert_ne!(one.url(), other.url());
    create(&one, "only-here").await;
    let maps: Api<ConfigMap> = Api::namespaced(other.client(), "default");
    assert!(maps.get_opt("only-here").await.expect("ask").is_none());
}

#[tokio::test]
async fn objects_address_and_clients_outlive_a_restart_of_the_api_server_and_of_etcd() {
    let plane = ControlPlane::start().await.expect("start");
    let url = plane.url();
    create(&plane, "kept").await;
    for component in [Component::ApiServer, Component::Etcd, Component::ControllerManager] {
        let before = plane.pid(component).expect("runs");
        plane.stop(component).await.expect("stop");
        assert_eq!(plane.pid(component), None);
        plane.start_component(component).await.expect("start again");
        assert_ne!(plane.pid(component).expect("runs again"), before);
        assert_eq!(plane.url(), url);
        let maps: Api<ConfigMap> = Api::namespaced(plane.client(), "default");
        assert!(maps.get("kept").await.is_ok(), "after {component:?}");
    }
}

#[tokio::test]
async fn a_component_that_cannot_start_is_named_with_the_end_of_its_log() {
    let error = ControlPlane::builder().api_server_flag("--no-such-flag").start().await.expect_err("starts");
    let error = error.to_string();
    assert!(error.contains("kube-apiserver ended early") && error.contains("no-such-flag"), "{error}");
}

#[tokio::test]
async fn the_audit_log_tells_who_wrote_what() {
    let plane = ControlPlane::start().await.expect("start");
    let kubectl = |args: &[&str], kubeconfig| {
        let output = plane.kubectl().args(args).env("KUBECONFIG", kubeconfig).output().expect("run kubectl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let role = ["create", "clusterrolebinding", "writers", "--clusterrole=cluster-admin", "--group=writers"];
    kubectl(&role, plane.kubeconfig());
    let writer = plane.user("jane", &["people", "writers"]).expect("kubeconfig");
    let stranger = Api::<ConfigMap>::namespaced(plane.client_as("joe", &["people"]).await.expect("client"), "default");

    let mark = plane.audit().mark().expect("mark");
    kubectl(&["create", "configmap", "told", "--from-literal=a=b"], writer);
    let forbidden = stranger.create(&PostParams::default(), &config_map("no")).await;
    assert!(forbidden.is_err(), "a stranger may not write");

    let writes: Vec<_> = plane
        .audit()
        .writes_since(mark)
        .expect("read")
        .into_iter()
        .filter(|entry| entry.object_ref.as_ref().is_some_and(|object| object.name == "told"))
        .collect();
    assert_eq!(writes.len(), 1, "{writes:?}");
    let write = &writes[0];
    let object = write.object_ref.as_ref().expect("is about an object");
    assert!(write.is_about("configmaps"));
    assert_eq!((write.verb.as_str(), write.user.username.as_str()), ("create", "jane"));
    assert_eq!((object.namespace.as_str(), object.name.as_str()), ("default", "told"));
    assert!(write.user_agent.starts_with("kubectl/v1.34.4"), "{}", write.user_agent);
    assert_eq!(write.request_object.as_ref().expect("a body")["data"]["a"], "b");
    assert_eq!(write.response_status.code, 201);
    assert!(write.stage_timestamp.0 >= write.request_received_timestamp.0);
    assert_eq!(write.annotations["authorization.k8s.io/decision"], "allow");
    let denied = plane.audit().since(mark).expect("read").into_iter().find(|e| e.user.username == "joe");
    assert_eq!(denied.expect("told as well").response_status.code, 403);
}

#[tokio::test]
async fn following_the_audit_log_gives_what_was_there_and_what_comes() {
    let plane = ControlPlane::start().await.expect("start");
    let mark = plane.audit().mark().expect("mark");
    create(&plane, "before").await;
    let follow = plane
        .audit()
        .follow(mark)
        .try_filter(|entry| std::future::ready(entry.is_write() && entry.user.username == ADMIN));
    let mut follow = std::pin::pin!(follow);
    let deadline = Duration::from_secs(30);
    for name in ["before", "after"] {
        if name == "after" {
            create(&plane, name).await;
        }
        let entry =
            tokio::time::timeout(deadline, follow.next()).await.expect("in time").expect("no end").expect("read");
        assert_eq!(entry.object_ref.expect("an object").name, name);
    }
}

#[tokio::test]
async fn a_fake_node_offers_what_it_is_told_to_and_no_longer_once_told_otherwise() {
    let plane = ControlPlane::start().await.expect("start");
    let device = "instrumentation.odigos.io/python-native-community";
    let node = FakeNode::new("one").label("zone", "a").taint("dedicated", "gpu", "NoSchedule");
    let there = plane.create_node(&node.clone().offers(device, "100")).await.expect("create");
    let allocatable = |node: &Node| {
        node.status.clone().and_then(|s| s.allocatable).unwrap_or_default().get(device).map(|q| q.0.clone())
    };
    assert_eq!(allocatable(&there).as_deref(), Some("100"));
    let taints: Vec<_> =
        there.spec.clone().expect("spec").taints.unwrap_or_default().into_iter().map(|t| t.key).collect();
    assert_eq!(taints, ["dedicated"]);
    let there = plane.update_node(&node.ready(false)).await.expect("update");
    assert_eq!(allocatable(&there), None);
}

#[tokio::test]
async fn controllers_and_scheduler_bring_the_pod_of_a_deployment_to_a_fake_node() {
    let plane = ControlPlane::builder().with_scheduler(true).start().await.expect("start");
    plane.create_node(&FakeNode::new("one")).await.expect("create a node");
    let create = ["create", "deployment", "web", "--image=none.invalid/web"];
    assert!(plane.kubectl().args(create).output().expect("run kubectl").status.success());

    let pods: Api<Pod> = Api::namespaced(plane.client(), "default");
    let web = ListParams::default().labels("app=web");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = pods.list(&web).await.expect("list pods");
        let node = list.items.first().and_then(|pod| pod.spec.as_ref()?.node_name.clone());
        if node.as_deref() == Some("one") {
            break;
        }
        assert!(Instant::now() < deadline, "not in time: {list:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_guest_runs_with_its_own_variables_only_and_its_end_is_seen() {
    let plane = ControlPlane::start().await.expect("start");
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "echo $GREETING$USER; exec sleep $FOR"]).envs([("GREETING", "hello"), ("FOR", "0.1")]);
    let guest = plane.run("guest", &command).await.expect("run");
    let deadline = Instant::now() + Duration::from_secs(30);
    while guest.pid().is_some() {
        assert!(Instant::now() < deadline, "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(std::fs::read_to_string(guest.log()).expect("its log"), "hello\n");
}
