//! `epiphyte status --watch` where the output is no terminal, against a real API server.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use epiphyte_testbed::Component;
use serde_json::json;
use support::*;

/// A watch whose output goes to a file. Killed when dropped.
struct Watch {
    child: Child,
    out: std::path::PathBuf,
}

impl Watch {
    fn start(cluster: &Cluster, folder: &Path) -> Self {
        let out = folder.join("watch");
        let child = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
            .args(["status", "--watch", "-n", "shop", "--system-namespace", SYSTEM])
            .env("KUBECONFIG", cluster.plane.kubeconfig())
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a file"))
            .spawn();
        Self { child: child.expect("it starts"), out }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    async fn until_told(&self, line: &str) {
        eventually(&format!("{line:?} is told"), || async {
            self.told().lines().any(|it| it.starts_with(line)).then_some(())
        })
        .await;
    }

    /// Ends it as Ctrl-C does; gives its exit status.
    fn interrupt(mut self) -> Option<i32> {
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_once_each_through_a_restart_of_the_api_server_until_ctrl_c() {
    let cluster = Cluster::ready().await;
    cluster.namespace("shop", None).await;
    let folder = tempfile::tempdir().expect("a folder");
    let watch = Watch::start(&cluster, folder.path());
    watch.until_told("collectors: CollectorsReady").await;

    // No kubelet runs: three pods are wanted, and none gets ready.
    let mut cart = annotated(deployment("shop", "cart"), "true");
    cart["spec"]["replicas"] = json!(3);
    cluster.apply(&cart).await;
    watch.until_told("Deployment shop/cart: waiting (device), WaitingForDetection, 3/3 updated, 0/3 ready").await;
    cluster.kubectl(&["scale", "-n", "shop", "deployment/cart", "--replicas=0"]);
    eventually("the rollout is over", || async {
        let told = watch.told();
        let last = told.lines().rfind(|it| it.starts_with("Deployment shop/cart: "))?;
        (last == "Deployment shop/cart: waiting (device), WaitingForDetection").then_some(())
    })
    .await;

    cluster.plane.stop(Component::ApiServer).await.expect("it stops");
    watch.until_told("note: cannot reach the API server").await;
    cluster.plane.start_component(Component::ApiServer).await.expect("it starts");
    cluster.kubectl(&["delete", "deployment", "-n", "shop", "cart"]);
    watch.until_told("Deployment shop/cart: gone").await;
    assert_eq!(watch.told().matches("collectors: ").count(), 1, "{}", watch.told());
    assert_eq!(watch.interrupt(), Some(0));
}
