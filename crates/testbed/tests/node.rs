//! A node that runs pods, and that leaves nothing behind.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use epiphyte_testbed::{Component, ControlPlane, debian, image, no_node, skipped};
use support::{parent, processes_about};

const IMAGE: &str = "docker.io/epiphyte/busybox:testbed";

/// Two pods, of which one serves its own name, and the Service of that.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: epiphyte/busybox:testbed
    command: [/busybox, nc, -ll, -p, "8080", -e, /busybox, hostname]
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec:
  selector: {app: server}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: epiphyte/busybox:testbed
    command: [/busybox, sh, -c, "echo here; exec /busybox sleep 1000"]
"#;

/// A cluster with a node, or nothing where there can be none.
async fn cluster() -> Option<ControlPlane> {
    if let Some(why) = no_node().expect("try") {
        skipped(&why);
        return None;
    }
    Some(ControlPlane::builder().with_node("node-a").start().await.expect("start"))
}

async fn load_busybox(plane: &ControlPlane) {
    let root = debian::tool("busybox", &["busybox-static"], &mut |_| ()).expect("busybox");
    let archive = plane.folder().join("busybox.tar");
    image::archive(&archive, IMAGE, &[(&root.join("bin/busybox"), "/busybox")], &["/busybox"]).expect("an image");
    plane.load_image(&archive).await.expect("load");
}

/// Asks until the answer is as expected.
fn answers(plane: &ControlPlane, arguments: &[&str], expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = plane.kubectl_with(arguments, "");
        if said.as_ref().is_ok_and(|said| said.trim() == expected) {
            return;
        }
        assert!(Instant::now() < deadline, "kubectl {} says {said:?}", arguments.join(" "));
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test]
async fn pods_run_and_reach_each_other_by_name_and_nothing_is_left_of_them() {
    let before = host();
    let Some(plane) = cluster().await else { return };
    load_busybox(&plane).await;
    plane.kubectl_with(&["apply", "-f", "-"], MANIFEST).expect("apply");
    plane.kubectl_with(&["wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"], "").expect("pods");
    let ask = "/busybox nc server.default.svc.cluster.local 80 </dev/null";
    answers(&plane, &["exec", "client", "--", "/busybox", "sh", "-c", ask], "server");
    answers(&plane, &["exec", "client", "--", "/busybox", "sh", "-c", "/busybox nc server 80 </dev/null"], "server");
    answers(&plane, &["logs", "client"], "here");
    // The API server is where every cluster has it.
    let reach = "/busybox nc -w 5 kubernetes.default 443 </dev/null && echo yes";
    answers(&plane, &["exec", "client", "--", "/busybox", "sh", "-c", reach], "yes");

    // Pods go on while their kubelet is away.
    plane.stop(Component::Kubelet).await.expect("stop");
    plane.start_component(Component::Kubelet).await.expect("start");
    answers(&plane, &["get", "pod", "client", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"], "0");
    answers(&plane, &["exec", "client", "--", "/busybox", "echo", "back"], "back");

    let folder = plane.folder().to_owned();
    drop(plane);
    assert!(!folder.exists());
    assert_eq!(host(), before, "the machine is as it was");
    no_cgroup_is_orphaned();
}

#[tokio::test]
async fn a_killed_supervisor_takes_the_node_along_and_the_next_one_removes_its_cgroups() {
    let Some(plane) = cluster().await else { return };
    let folder = plane.folder().to_owned();
    let of_box = || processes_about(&folder.display().to_string());
    // The first process in the box, and above it the one outside.
    let first = of_box().into_iter().min().expect("a process");
    let kill = std::process::Command::new("kill").args(["-KILL", &parent(first).to_string()]).status();
    assert!(kill.expect("run kill").success());
    let deadline = Instant::now() + Duration::from_secs(30);
    while !of_box().is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", of_box());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(plane);
    assert!(!folder.exists());
    assert_eq!(no_node().expect("try"), None);
    no_cgroup_is_orphaned();
}

/// Waits until there is no cgroup of a box that is gone: another test may just leave one behind, and have it removed.
fn no_cgroup_is_orphaned() {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !orphaned_cgroups().is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", orphaned_cgroups());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The cgroups of boxes that are gone: each is named for the process that has to remove it.
fn orphaned_cgroups() -> Vec<String> {
    let find = std::process::Command::new("find").args(["/sys/fs/cgroup", "-name", "epiphyte-box-*"]).output();
    let found = String::from_utf8(find.expect("run find").stdout).expect("text");
    let owner = |path: &str| path.rsplit('-').next().map(|pid| Path::new("/proc").join(pid));
    found.lines().filter(|path| owner(path).is_some_and(|owner| !owner.exists())).map(str::to_owned).collect()
}

/// What a node could leave on its machine, as far as it is not the doing of another one that runs now: mounts, links,
/// folders.
fn host() -> [BTreeSet<String>; 3] {
    let lines = |path: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(path).expect("read");
        text.lines().map(|line| line.split(' ').nth(1).unwrap_or(line).to_owned()).collect()
    };
    let entries = |folders: &[&str]| {
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(Path::new(folder)).ok()).flatten();
        entries.flatten().map(|entry| entry.path().display().to_string()).collect()
    };
    [
        lines("/proc/self/mounts"),
        entries(&["/sys/class/net"]),
        entries(&["/var/lib", "/var/log", "/run", "/etc", "/opt", "/usr/libexec"]),
    ]
}
