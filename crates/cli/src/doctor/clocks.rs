//! Whether clocks agree: ours with the API server's, by the date of an answer, and the operator's with it, by its lease.

use epiphyte_api::Diagnosis;
use epiphyte_api::names::LEASE;
use jiff::{SignedDuration, Timestamp};

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{LEASES, text};

/// What may be between two clocks. Less hurts nobody: certificates begin minutes before they are made, and leases go by
/// what each replica saw by its own clock.
const BORNE: SignedDuration = SignedDuration::from_secs(10);

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let version = &patient.version;
    let Some(date) = version.date else {
        return Ok(vec![Finding::of(Diagnosis::NotTold, "the API server does not say what time it is")]);
    };
    let ours = apart(version.sent, version.received, date);
    let mut findings = Vec::new();
    if ours > BORNE {
        let found = format!("this machine and the API server are {ours:#} apart");
        findings.push(Finding::of(Diagnosis::ClocksDiffer, found));
    }
    let lease = patient.cluster.get(&LEASES, Some(&patient.system), LEASE).await?;
    let renewed = lease.as_ref().and_then(|lease| text(lease, "/spec/renewTime").parse::<Timestamp>().ok());
    // Renewed before the answer to the lease, and so at most the time of a question or two after `date`.
    let asked = SignedDuration::from_secs(1) + Timestamp::now().duration_since(version.received);
    let ahead = renewed.map(|renewed| renewed.duration_since(date) - asked).filter(|ahead| *ahead > BORNE);
    if let Some(ahead) = ahead {
        let ahead = SignedDuration::from_secs(ahead.as_secs());
        let found = format!("the operator that leads is {ahead:#} ahead of the API server");
        findings.push(Finding::of(Diagnosis::ClocksDiffer, found).about(LEASES.kind, &patient.system, LEASE));
    }
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::ClocksAgree, format!("no two are more than {BORNE:#} apart")));
    }
    Ok(findings)
}

/// How far another clock is from ours at least, in whole seconds, if it read `date`, cut to seconds, somewhen between two times.
fn apart(sent: Timestamp, received: Timestamp, date: Timestamp) -> SignedDuration {
    let second = SignedDuration::from_secs(1);
    let behind = sent.duration_since(date) - second;
    let ahead = date.duration_since(received);
    SignedDuration::from_secs(behind.max(ahead).max(SignedDuration::ZERO).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_slow_answer_is_no_difference_of_clocks_and_neither_is_a_date_in_whole_seconds() {
        let (sent, received) = (at("2026-01-01T00:00:10.9Z"), at("2026-01-01T00:00:20Z"));
        for date in ["2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"] {
            assert_eq!(apart(sent, received, at(date)), SignedDuration::ZERO, "{date}");
        }
    }

    #[test]
    fn a_clock_that_is_ahead_or_behind_is_told() {
        let (sent, received) = (at("2026-01-01T00:10:00Z"), at("2026-01-01T00:10:01Z"));
        assert_eq!(apart(sent, received, at("2026-01-01T00:12:01Z")), SignedDuration::from_secs(120));
        assert_eq!(apart(sent, received, at("2026-01-01T00:00:00Z")), SignedDuration::from_secs(599));
    }
}
