//! Devices, as the kubelet sees them.

use std::time::{Duration, Instant};

use epiphyte_api::Device;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::SHARED;
use crate::agent::Node;
use crate::support::*;

/// All devices of all kinds are offered and healthy.
fn all_offered(node: &Node) -> bool {
    Device::ALL.iter().all(|device| node.kubelet.devices(device.resource()) == (3, 3))
}

async fn until_offered(node: &Node) {
    until("all devices are offered", || async { all_offered(node) }).await;
}

#[test]
fn every_container_of_a_request_gets_the_agents_and_a_folder_of_its_own() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "allocates").await;
        let _agent = node.agent().await;
        until_offered(&node).await;
        for device in [JAVA, PYTHON, JAVASCRIPT] {
            let word = device.split(['/', '-']).nth(1).expect("a word");
            let answers = node.kubelet.allocate(device, &[&format!("{word}-0"), &format!("{word}-1")]).await;
            assert_eq!(answers.len(), 2);
            for (number, answer) in answers.iter().enumerate() {
                assert_eq!(answer.envs["LD_PRELOAD"], "/var/odigos/injector/injector.so");
                assert_eq!(answer.envs["EPIPHYTE_ENDPOINT"], "http://collector.test:4318");
                assert_eq!(answer.envs["LUMIGO_ENDPOINT"], "http://lumigo.test:4318");
                assert_eq!(answer.envs["EPIPHYTE_IDENTITY"], "/var/epiphyte/identity");
                assert_eq!(answer.envs.len(), 4);
                assert!(answer.mounts.iter().all(|mount| mount.read_only));
                let paths: Vec<_> = answer.mounts.iter().map(|mount| mount.container_path.as_str()).collect();
                assert_eq!(paths, ["/var/odigos", "/var/epiphyte"]);
                let agents = std::path::Path::new(&answer.mounts[0].host_path);
                assert!(agents.starts_with(node.host()) && agents.join("java/agent.jar").is_file());
                assert!(answer.mounts[1].host_path.ends_with(&format!("{word}-{number}/identity")));
                assert!(std::path::Path::new(&answer.mounts[1].host_path).is_dir());
            }
        }
        // Go's agent is attached from outside.
        assert_eq!(node.kubelet.allocate(GO, &["go-0"]).await, [Default::default()]);
    });
}

#[test]
fn devices_are_offered_again_when_the_kubelet_has_restarted() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "restarts").await;
        let _agent = node.agent().await;
        for _ in 0..3 {
            until_offered(&node).await;
            node.kubelet.restart();
            assert!(!all_offered(&node));
        }
        until_offered(&node).await;
        node.kubelet.stop();
        assert!(!all_offered(&node));
        node.kubelet.restart();
        until_offered(&node).await;
    });
}

#[test]
fn a_plugin_that_is_not_listened_to_any_more_registers_at_once() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "hang-up").await;
        let _agent = node.agent().await;
        until_offered(&node).await;
        let socket = node.kubelet.socket(JAVA);
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            node.kubelet.hang_up(JAVA);
            let since = Instant::now();
            until("the device is offered again", || async { node.kubelet.devices(JAVA) == (3, 3) }).await;
            fastest = fastest.min(since.elapsed());
        }
        // The look comes every 50 ms, and this machine may be busy.
        assert!(fastest < Duration::from_secs(1), "{fastest:?}");
        assert_eq!(node.kubelet.socket(JAVA), socket, "one name for each start");
    });
}

#[test]
fn devices_are_healthy_only_while_their_files_are_in_place() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "health").await;
        let agent = node.agent().await;
        until_offered(&node).await;
        let folder =
            std::fs::read_dir(node.host().join("agents")).expect("a folder").next().expect("agents").expect("it");
        // What somebody removes is put in place again.
        std::fs::remove_dir_all(folder.path()).expect("the folder is removed");
        until("the files are back", || async { folder.path().join("node/register.js").is_file() }).await;
        until_offered(&node).await;
        // What is nowhere any more cannot be.
        std::fs::remove_dir_all(node.agents().join("python")).expect("the source is removed");
        std::fs::remove_dir_all(folder.path().join("python")).expect("the copy is removed");
        until("the device is withdrawn", || async { node.kubelet.devices(PYTHON) == (3, 0) }).await;
        assert_eq!(node.kubelet.devices(JAVA), (3, 3));
        // A container that comes all the same starts without an agent.
        assert_eq!(node.kubelet.allocate(PYTHON, &["python-0"]).await, [Default::default()]);
        let refused = agent.admin.metric("epiphyte_node_allocations_total", &["not_in_place"]);
        assert!((refused - 1.0).abs() < f64::EPSILON);
        std::fs::remove_file(node.agents().join("go/otel-go-instrumentation")).expect("the program is removed");
        until("Go's too", || async { node.kubelet.devices(GO) == (3, 0) }).await;
        node.agent_file("go/otel-go-instrumentation", "#!/bin/sh\n");
        until("Go's is back", || async { node.kubelet.devices(GO) == (3, 3) }).await;
    });
}

#[test]
fn an_agent_that_was_killed_leaves_nothing_in_the_way_of_the_next() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "killed").await;
        let agent = node.agent().await;
        until_offered(&node).await;
        let sockets = || {
            let entries = std::fs::read_dir(node.kubelet.folder().join("device-plugins")).expect("the folder");
            entries.filter(|it| it.as_ref().expect("it").file_name().to_string_lossy().starts_with("epiphyte-")).count()
        };
        agent.kill();
        assert_eq!(sockets(), 4);
        let agent = node.agent().await;
        until_offered(&node).await;
        assert_eq!(sockets(), 4, "the dead one's are removed");
        assert!(agent.stop());
        assert_eq!(sockets(), 0, "who is told to stop takes them along");
    });
}

#[test]
fn of_two_agents_at_work_the_one_that_stays_takes_over_at_once() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "surge").await;
        let old = node.agent().await;
        until_offered(&node).await;
        let socket = node.kubelet.socket(JAVA);
        let new = node.agent().await;
        until("the new one is registered", || async { node.kubelet.socket(JAVA) != socket }).await;
        until_offered(&node).await;
        assert!(old.stop());
        // The kubelet drops the newer registration when the older stream ends.
        until_offered(&node).await;
        assert!(new.stop());
    });
}

/// What a client sends that takes the socket's path for the authority, as some do: the server must not choke on it for
/// others. The kubelet itself says `localhost`.
#[test]
fn a_client_with_the_sockets_path_for_its_authority_is_turned_down_alone() {
    SHARED.run(async |cluster| {
        let node = Node::new(cluster, "authority").await;
        let _agent = node.agent().await;
        until_offered(&node).await;
        let path = node.kubelet.folder().join("device-plugins").join(node.kubelet.socket(JAVA).expect("a socket"));
        let mut stream = UnixStream::connect(&path).await.expect("a connection");
        let literal = |name: &str, value: &str| {
            let mut field = vec![0, u8::try_from(name.len()).expect("short")];
            field.extend(name.as_bytes());
            field.push(u8::try_from(value.len()).expect("short"));
            field.extend(value.as_bytes());
            field
        };
        let authority = path.display().to_string();
        let headers: Vec<u8> = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/v1beta1.DevicePlugin/GetDevicePluginOptions"),
            (":authority", authority.as_str()),
            ("content-type", "application/grpc"),
        ]
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect();
        let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
            let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
            [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
        };
        let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        sent.extend(frame(4, 0, 0, &[]));
        sent.extend(frame(1, 4, 1, &headers));
        sent.extend(frame(0, 1, 1, &[0; 5]));
        stream.write_all(&sent).await.expect("it is sent");
        let mut kinds = Vec::new();
        let mut head = [0; 9];
        while !kinds.contains(&3) && !kinds.contains(&7) && !kinds.contains(&1) {
            stream.read_exact(&mut head).await.expect("a frame");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.expect("its payload");
            kinds.push(head[3]);
        }
        assert!(!kinds.contains(&1), "no answer but a reset: frames {kinds:?}");
        assert_eq!(node.kubelet.allocate(JAVA, &["java-0"]).await[0].envs.len(), 4);
    });
}
