//! Draws a trace as a tree.

use std::collections::BTreeSet;
use std::time::SystemTime;

use console::style;
use epiphyte_testbed::otlp::{Span, SpanKind};

/// The services that a whole trace goes through.
const WHOLE: [&str; 3] = ["storefront", "recommendations", "prices"];
/// The service that is instrumented from outside, whose spans may be in traces of their own: where the kernel forbids to
/// write into the process, nobody hands it a trace on.
const BESIDE: &str = "stock";

/// The lines of the first trace that is whole, and of the spans of the service beside it; nothing while there is none.
pub fn complete(spans: &[Span]) -> Option<Vec<String>> {
    let roots = spans.iter().filter(|span| span.parent.is_empty() && span.service() == WHOLE[0]);
    let root = roots.into_iter().find(|root| {
        let of_trace = spans.iter().filter(|span| span.trace == root.trace);
        let services: BTreeSet<_> = of_trace.map(Span::service).collect();
        WHOLE.iter().all(|service| services.contains(service))
    })?;
    let mut lines = vec![format!("\n  trace {}", hex(&root.trace))];
    let of_trace: Vec<&Span> = spans.iter().filter(|span| span.trace == root.trace).collect();
    draw(&of_trace, root, root.start, "  ", &mut lines);

    if !of_trace.iter().any(|span| span.service() == BESIDE) {
        let end = root.start + root.duration;
        let meanwhile =
            spans.iter().filter(|span| span.service() == BESIDE && span.start >= root.start && span.start <= end);
        let mut meanwhile: Vec<&Span> = meanwhile.collect();
        meanwhile.sort_by_key(|span| span.start);
        if meanwhile.is_empty() {
            return None;
        }
        lines.push(format!("\n  meanwhile in {BESIDE}, in traces of its own"));
        for span in meanwhile {
            lines.push(format!("  {}", describe(span, root.start)));
        }
    }
    Some(lines)
}

/// A span and all below it.
fn draw(spans: &[&Span], span: &Span, start: SystemTime, indent: &str, lines: &mut Vec<String>) {
    lines.push(format!("{indent}{}", describe(span, start)));
    let mut below: Vec<&&Span> = spans.iter().filter(|below| below.parent == span.id).collect();
    below.sort_by_key(|span| span.start);
    for below in below {
        draw(spans, below, start, &format!("{indent}  "), lines);
    }
}

fn describe(span: &Span, start: SystemTime) -> String {
    let after = span.start.duration_since(start).unwrap_or_default();
    let kind = match span.kind {
        SpanKind::Server => "serves",
        SpanKind::Client => "calls",
        _ => "does",
    };
    let language = span.resource.get("telemetry.sdk.language").map_or("", String::as_str);
    format!(
        "{} {kind} {}  {}",
        style(format!("{} ({language})", span.service())).cyan(),
        style(&span.name).bold(),
        style(format!("+{:.1} ms, {:.1} ms", millis(after), millis(span.duration))).dim()
    )
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
