//! Go, from outside of the process, where the kernel lets us.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use epiphyte_testbed::otlp::{Span, SpanKind};

use crate::stage::{Server, Stage, agents, programs, skip};

/// An agent at work; ended when dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client's span and the server's above it. The called server's may be of another trace: where the kernel forbids to write
/// into the process, no headers are sent.
fn client_and_server(spans: &[Span]) -> Option<[Span; 2]> {
    let clients = spans.iter().filter(|span| span.kind == SpanKind::Client);
    let above =
        |client: &Span| spans.iter().find(|span| span.id == client.parent && span.kind == SpanKind::Server).cloned();
    clients.filter_map(|client| Some([client.clone(), above(client)?])).next()
}

#[test]
fn go_sends_spans_of_server_and_client_without_being_restarted() {
    let Some(stage) = Stage::new() else { return };
    let Some(folder) = agents() else { return };
    if !rustix::process::geteuid().is_root() {
        skip("the Go agent", "eBPF needs root");
        return;
    }
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(stage.path("sample")).arg(".").current_dir(programs()).env("CGO_ENABLED", "0");
    assert!(build.status().expect("run go").success());

    let server = Server::start(&mut Command::new(stage.path("sample")));
    // Where the kernel is locked down, the agent has to be able to see it: then it does without what is forbidden.
    let script = "mount -t securityfs none /sys/kernel/security 2>/dev/null; exec \"$0\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(folder.join("go/otel-go-instrumentation"));
    command.env("OTEL_GO_AUTO_TARGET_PID", server.id().to_string()).env("OTEL_SERVICE_NAME", "till");
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", stage.receiver.url())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    command.env("OTEL_BSP_SCHEDULE_DELAY", "100").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut agent = Agent(command.spawn().expect("start the agent"));
    let said = BufReader::new(agent.0.stderr.take().expect("a pipe"));
    let mut last = String::new();
    for line in said.lines() {
        last = line.expect("what the agent says");
        if last.contains("instrumentation loaded successfully") {
            assert_eq!(server.get("/front"), "front back");
            for span in stage.wait("client's span below a server's", client_and_server) {
                assert_eq!(span.resource.get("service.name").map(String::as_str), Some("till"), "{span:?}");
            }
            return;
        }
    }
    assert!(last.contains("failed to load instrumentation"), "{last}");
    skip("the Go agent", &format!("this kernel does not let it: {last}"));
}
