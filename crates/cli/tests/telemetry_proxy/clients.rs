//! What clients do to the receivers: bodies that are none, too large or bombs, and more connections than anybody needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use epiphyte_testbed::otlp::{Receiver, Signal};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::{SIGNALS, body, post, send_grpc};
use crate::proxy::{Proxy, ProxyOptions};
use crate::traffic::Traffic;
use crate::{authorization, until};

fn start(upstream: &Receiver) -> Proxy {
    let options = ProxyOptions {
        upstream: upstream.url().to_owned(),
        tokenless: Some(upstream.url().to_owned()),
        ..ProxyOptions::default()
    };
    Proxy::start(&options, &['a'])
}

/// A tenant is served, by the Collector that there was from the start.
fn assert_well(proxy: &Proxy) {
    let answer = post(&proxy.http, "/v1/traces", &[("Authorization", &authorization('a'))], &body(Signal::Traces, "a"));
    assert_eq!(answer.map(|it| it.status), Some(200));
    send_grpc(&proxy.grpc, Signal::Traces, &[&authorization('a')], "a").expect("it is taken");
    assert!(proxy.admin.is_ready());
    assert_eq!(proxy.logged("started the Collector collector=\"traffic\""), 1);
}

/// Half a gigabyte of nothing, packed.
fn bomb(into: impl std::io::Write) -> impl std::io::Write {
    let mut packed = flate2::write::GzEncoder::new(into, flate2::Compression::best());
    for _ in 0..512 {
        packed.write_all(&[0_u8; 1 << 20]).expect("packed");
    }
    packed.finish().expect("packed")
}

#[test]
fn what_is_no_telemetry_too_large_or_a_bomb_is_refused_over_http_and_memory_stays() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let before = proxy.memory_of("traffic");
    let authorization = authorization('a');
    let header = ("Authorization", &*authorization);
    for (_, path) in SIGNALS {
        let answer = post(&proxy.http, path, &[header], b"\xff\xff\xff not telemetry").expect("an answer");
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    // It may break off while it is sent, or be told what is wrong; it is never taken.
    let refused = |address: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = post(address, "/v1/traces", headers, body);
        assert!(answer.as_ref().is_none_or(|answer| answer.status >= 400), "{answer:?}");
    };
    let (huge, mut gzip) = (vec![0_u8; 100 << 20], Vec::new());
    let _ = bomb(&mut gzip);
    // Five bytes by which snappy would set four gigabytes aside, and a frame of zstd with a window of two.
    let snappy = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    for address in [&proxy.http, &proxy.tokenless_http] {
        refused(address, &[header], &huge);
        for (encoding, bomb) in [("gzip", &*gzip), ("snappy", &snappy), ("zstd", &zstd), ("zip", &gzip)] {
            refused(address, &[header, ("Content-Encoding", encoding)], bomb);
        }
    }
    let grown = proxy.memory_of("traffic").saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB", grown >> 20);
    assert_well(&proxy);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it fits").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a request over gRPC, each written out.
fn headers(authorization: &str) -> Vec<u8> {
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "proxy"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-encoding", "gzip"),
        ("authorization", authorization),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("it is short"));
            block.extend(text.as_bytes());
        }
    }
    block
}

#[test]
fn garbage_too_large_a_message_and_a_bomb_are_refused_over_grpc_and_memory_stays() {
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let before = proxy.memory_of("traffic");
    // What a client says once the connection stands; what is answered, until the server has heard enough.
    let said = |sent: &[Vec<u8>]| {
        let mut stream = TcpStream::connect(&proxy.grpc).expect("a connection");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).expect("set");
        stream.set_write_timeout(Some(std::time::Duration::from_secs(2))).expect("set");
        for part in sent {
            // A server that has heard enough hangs up.
            let _ = stream.write_all(part);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let preface = || [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
    let opened = || [preface(), frame(1, 4, 1, &headers(&authorization('a')))].concat();
    let message = |packed: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).expect("it fits");
        [vec![packed], length.to_be_bytes().to_vec(), body.to_vec()].concat()
    };
    let data = |message: &[u8]| {
        let mut frames: Vec<Vec<u8>> = message.chunks(16_000).map(|part| frame(0, 0, 1, part)).collect();
        frames.push(frame(0, 1, 1, &[]));
        frames
    };
    let mut packed = Vec::new();
    let _ = bomb(&mut packed);
    said(&[b"\x00\xff\x00\xff garbage".repeat(1000)]);
    said(&[preface(), frame(9, 0, 7, &[0xff; 1000])]);
    said(&[preface(), frame(200, 255, 1, &[0; 9])]);
    said(&[opened(), frame(0, 1, 1, &message(0, b"\xff\xff\xff not telemetry"))]);
    // One that says that it has four gigabytes.
    said(&[opened(), frame(0, 0, 1, &[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])]);
    said(&std::iter::once(opened()).chain(data(&message(1, &packed))).collect::<Vec<_>>());
    // A message that is well made and has only too much in it.
    let large = "x".repeat(17 << 20);
    let (code, _) = send_grpc(&proxy.grpc, Signal::Traces, &[&authorization('a')], &large).expect_err("it is refused");
    assert!(code != tonic::Code::Ok);
    let grown = proxy.memory_of("traffic").saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB", grown >> 20);
    assert_well(&proxy);
    let own = |name: &str| name == "a";
    assert!(upstream.spans().iter().all(|span| own(&span.name)), "something was taken");
}

/// How many clients connect and say nothing.
const SILENT: usize = 10_000;

#[test]
fn ten_thousand_silent_connections_cost_bounded_memory_and_keep_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    // As many for the Collector, which has the limit from here; and a few.
    let needed = u64::try_from(SILENT).expect("it fits") + 2_000;
    if limit.maximum.is_some_and(|most| most < needed) {
        return epiphyte_testbed::skipped(&format!("the limit of open files cannot be raised to {needed}"));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed.max(limit.current.unwrap_or(needed))), ..limit })
        .expect("the limit is raised");
    let upstream = Receiver::on_loopback().expect("a receiver");
    let proxy = start(&upstream);
    let before = proxy.memory_of("traffic");
    let mut traffic = Traffic::start(&proxy.http, 'a');
    let mut silent = Vec::new();
    for at in 0..SILENT {
        let address = if at % 2 == 0 { &proxy.http } else { &proxy.grpc };
        silent.push(TcpStream::connect(address).expect("a connection"));
    }
    traffic.until_more(100);
    let grown = proxy.memory_of("traffic").saturating_sub(before);
    eprintln!("{SILENT} silent connections: {} MiB", grown >> 20);
    assert!(grown < 320 << 20, "{} MiB", grown >> 20);
    assert_well(&proxy);
    traffic.until_all_arrived(&upstream);
    drop(silent);
    until("all is well", || proxy.admin.is_ready());
}
