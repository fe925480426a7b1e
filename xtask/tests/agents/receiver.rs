//! An OTLP/HTTP receiver on loopback that keeps the spans that it is sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;

/// How long spans may take to come.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a test needs to know of a span.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub kind: SpanKind,
    /// The attributes of its resource that are text.
    pub resource: BTreeMap<String, String>,
}

type Spans = Arc<(Mutex<Vec<Span>>, Condvar)>;

/// The receiver; its threads end with the tests.
pub struct Receiver {
    port: u16,
    spans: Spans,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let spans = Spans::default();
        let kept = Arc::clone(&spans);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { port, spans }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the spans that came answer a question.
    pub fn wait<T>(&self, what: &str, found: impl Fn(&[Span]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (spans, changed) = &*self.spans;
        let mut spans = spans.lock().expect("lock");
        loop {
            if let Some(found) = found(&spans) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what} among {spans:#?}");
            spans = changed.wait_timeout(spans, left).expect("wait").0;
        }
    }
}

/// Answers the requests of a connection, one after the other.
fn serve(stream: TcpStream, spans: &Spans) {
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = request(&mut reader) {
        if path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(&*body).expect("spans as protobuf");
            spans.0.lock().expect("lock").extend(read(request));
            spans.1.notify_all();
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The path and the body of the next request; `None` when there is none.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_ascii_lowercase())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line()?;
        match header.split_once(": ") {
            None => break,
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            Some(("content-encoding", value)) => panic!("nobody asked for {value}"),
            Some(_) => {}
        }
    }
    if !chunked {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        return Some((path, body));
    }
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        // With the line that ends it.
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some((path, body));
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn read(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for sent in request.resource_spans {
        let text = |value| match value {
            Some(Value::StringValue(text)) => Some(text),
            _ => None,
        };
        let resource: BTreeMap<_, _> = sent
            .resource
            .into_iter()
            .flat_map(|resource| resource.attributes)
            .filter_map(|attribute| Some((attribute.key, text(attribute.value?.value)?)))
            .collect();
        for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                kind: span.kind(),
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                resource: resource.clone(),
            });
        }
    }
    spans
}
