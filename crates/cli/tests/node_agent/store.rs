//! Agent files on the host.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::SHARED;
use crate::agent::Node;
use crate::support::*;

/// Names of the folders of agents.
fn folders(host: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(host.join("agents")).into_iter().flatten().map(|entry| entry.expect("a folder").path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[test]
fn files_are_readable_for_all_whatever_they_were_in_the_image() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "modes").await;
        let _agent = node.agent().await;
        let agents = folders(&node.host()).pop_first().expect("agents");
        assert_eq!((mode(&agents), mode(&agents.join("java"))), (0o755, 0o755));
        assert_eq!((mode(&agents.join("java/agent.jar")), mode(&agents.join("injector/injector.so"))), (0o644, 0o644));
        assert!(!agents.join("go").exists(), "what no container needs is not copied");
    });
}

#[test]
fn an_upgrade_keeps_the_old_files_for_as_long_as_a_container_has_them() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "upgrade").await;
        let agent = node.agent().await;
        let given = node.kubelet.allocate(JAVA, &["java-0"]).await[0].mounts[0].host_path.clone();
        node.kubelet.has(("default", "old", "app"), JAVA, "java-0");
        assert!(agent.stop());

        node.agent_file("java/agent.jar", "a newer agent");
        let agent = node.agent().await;
        until("the new files are in place", || async { folders(&node.host()).len() == 2 }).await;
        let new = node.kubelet.allocate(JAVA, &["java-1"]).await[0].mounts[0].host_path.clone();
        assert_ne!(given, new);
        node.kubelet.has(("default", "new", "app"), JAVA, "java-1");
        assert!(agent.stop());
        assert_eq!(
            fs::read_to_string(Path::new(&given).join("java/agent.jar")).expect("it is there"),
            "java/agent.jar"
        );

        // The old container is gone, and was given its device long ago.
        node.kubelet.forget_pods();
        node.kubelet.has(("default", "new", "app"), JAVA, "java-1");
        let kept = fs::File::options().write(true).open(node.host().join("devices/java-0/allocation.json"));
        let long_ago = SystemTime::now() - Duration::from_secs(600);
        kept.expect("it is kept").set_modified(long_ago).expect("its time is set");
        let _agent = node.agent().await;
        until("the old files are gone", || async { folders(&node.host()) == BTreeSet::from([PathBuf::from(&new)]) })
            .await;
        assert!(!node.host().join("devices/java-0").exists() && node.host().join("devices/java-1").exists());
    });
}

#[test]
fn an_agent_killed_while_it_copies_leaves_no_half_of_a_folder() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "half").await;
        for number in 0..400 {
            node.agent_file(&format!("node/modules/{number}.js"), &"x".repeat(20_000));
        }
        let agent = node.start();
        let incoming = node.host().join("incoming/new/node");
        until("it copies", || async { incoming.exists() || !folders(&node.host()).is_empty() }).await;
        agent.kill();
        let whole = |folder: &PathBuf| folder.join("python/sitecustomize.py").is_file();
        assert!(folders(&node.host()).iter().all(whole));
        let _agent = node.agent().await;
        assert_eq!(folders(&node.host()).len(), 1);
        assert!(folders(&node.host()).iter().all(whole));
        assert!(!node.host().join("incoming").exists());
    });
}

#[test]
fn a_full_disk_withdraws_the_devices_and_more_room_brings_them_back() {
    let mounts = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if !mounts.is_ok_and(|status| status.success()) {
        return epiphyte_testbed::skipped("no mount namespace can be had here, so no disk can be filled");
    }
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "full").await;
        node.agent_file("node/big.js", &"x".repeat(3 << 20));
        fs::create_dir_all(node.host()).expect("a folder to mount on");
        let admin = Admin::free();
        let inner = node.command(&admin);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg(r#"mount -t tmpfs -o size=1m tmpfs "$HOST" && exec "$@""#).arg("sh");
        command.env("HOST", node.host()).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            command.env(name, value.expect("a value"));
        }
        let agent = node.run(command, admin);
        until("the disk is full", || async {
            agent.admin.metric("epiphyte_node_agent_files_total", &["disk_full"]) >= 1.0
        })
        .await;
        until("nothing preloading is offered", || async {
            node.kubelet.devices(JAVA) == (3, 0) && node.kubelet.devices(GO) == (3, 3)
        })
        .await;
        let (ready, waits) = agent.admin.get("/readyz").expect("an answer");
        assert!(!ready && waits.contains("agent files"), "{waits}");
        let seen = PathBuf::from(format!("/proc/{}/root{}", agent.pid(), node.host().display()));
        assert!(folders(&seen).is_empty() && !seen.join("incoming").exists(), "nothing is left on the full disk");

        let pid = agent.pid().to_string();
        let more = Command::new("nsenter")
            .args(["--target", &pid, "--mount", "mount", "-o", "remount,size=64m"])
            .arg(node.host())
            .status();
        assert!(more.expect("nsenter runs").success());
        until("all is well again", || async { node.kubelet.devices(JAVA) == (3, 3) }).await;
        agent.until_ready().await;
    });
}

#[test]
fn uninstalling_removes_what_was_left_on_the_host() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "clean").await;
        let agent = node.agent().await;
        node.kubelet.allocate(JAVA, &["java-0"]).await;
        assert!(agent.stop());
        assert!(node.host().join("devices/java-0").exists());
        let clean = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
            .args(["node-agent", "--clean", "--host-dir"])
            .arg(node.host())
            .status();
        assert!(clean.expect("it runs").success());
        assert!(!node.host().exists());
    });
}
