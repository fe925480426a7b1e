//! Go processes: a program stands in for OpenTelemetry's, and says what it was given.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::SHARED;
use crate::agent::Node;
use crate::pods::{create, runs};
use crate::proc::container_id;
use crate::support::*;

/// A process that lives until it is dropped.
struct Living(Child);

impl Living {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep starts"))
    }

    fn end(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn a_go_process_is_instrumented_for_as_long_as_it_lives() {
    SHARED.run(async |cluster| {
        let namespace = "go-lives";
        let node = Node::new(cluster, "go-lives").await;
        let said = node.folder().join("said");
        let program =
            format!("#!/bin/sh\n/usr/bin/env >> {0}\necho \"pid $$\" >> {0}\nexec /bin/sleep 1000\n", said.display());
        node.agent_file("go/otel-go-instrumentation", &program);
        let agent = node.agent().await;
        cluster.namespace(namespace, None).await;
        let mut process = Living::start();
        let go = epiphyte_testbed::programs::kubernetes().expect("programs written in Go").join("kubernetes");
        node.proc.process(
            process.0.id(),
            &container_id("cart/app"),
            go,
            "HOME=/\0OTEL_EXPORTER_OTLP_KEY=/etc/shadow\0",
        );
        create(cluster, namespace, "cart", &node.name, &[("app", GO)]).await;
        runs(cluster, namespace, "cart").await;
        let text = || fs::read_to_string(&said).unwrap_or_default();
        until("the program runs", || async { text().contains("\npid ") }).await;
        for line in [
            format!("OTEL_GO_AUTO_TARGET_PID={}", process.0.id()),
            "OTEL_SERVICE_NAME=cart".to_owned(),
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.test:4318".to_owned(),
        ] {
            assert!(text().lines().any(|found| found == line), "{line} in {}", text());
        }
        assert!(!text().contains("shadow") && !text().contains("KUBECONFIG"));
        until("it is counted", || async { agent.admin.metric("epiphyte_node_go_running", &[]) >= 1.0 }).await;
        let pid = text().lines().find_map(|line| Some(line.strip_prefix("pid ")?.to_owned())).expect("a pid");
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it lives");
        assert!(limits.lines().any(|line| line.starts_with("Max data size") && line.contains("536870912")), "{limits}");

        process.end();
        until("it ends with its process", || async { !fs::exists(format!("/proc/{pid}")).expect("proc") }).await;
        let ended = || async { agent.admin.metric("epiphyte_node_go_sessions_total", &["process_ended"]) >= 1.0 };
        until("that is counted", ended).await;
        assert!(agent.stop());
    });
}

#[test]
fn what_the_kernel_forbids_is_counted_with_its_reason_and_tried_again() {
    SHARED.run(async |cluster| {
        let namespace = "go-forbidden";
        let node = Node::new(cluster, "go-forbidden").await;
        let program = "#!/bin/sh\necho 'cannot load: operation not permitted' >&2\nexit 1\n";
        node.agent_file("go/otel-go-instrumentation", program);
        let agent = node.agent().await;
        cluster.namespace(namespace, None).await;
        let process = Living::start();
        let go = epiphyte_testbed::programs::kubernetes().expect("programs written in Go").join("kubernetes");
        node.proc.process(process.0.id(), &container_id("cart/app"), go, "");
        create(cluster, namespace, "cart", &node.name, &[("app", GO)]).await;
        runs(cluster, namespace, "cart").await;
        let forbidden = || async { agent.admin.metric("epiphyte_node_go_sessions_total", &["forbidden"]) >= 2.0 };
        until("it is counted, twice", forbidden).await;
        assert!(agent.stop());
    });
}
