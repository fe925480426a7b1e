//! What follows from the answers of the addresses, look by look. Pure.
//!
//! One slow moment is no loss: an address counts as not taking telemetry once it did not at two looks in a row, and as
//! taking it at once. What was seen for the first time, and did not answer, says nothing yet.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use epiphyte_api::Reason;

use super::ask::Miss;

/// Addresses that a message names.
const NAMED: usize = 3;

/// How the addresses stand after the looks so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Each address of the last look.
    standings: BTreeMap<SocketAddr, Standing>,
    /// Whether there was none at the last look, and at the one before.
    empty: [bool; 2],
}

/// How an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It took telemetry at the last look.
    Takes,
    /// It did not at the last look, and did at the one before: it counts as taking it.
    Missed,
    /// It did not at the last look, which was the first.
    Unknown,
    /// It did not at two looks in a row, for this reason.
    Lost(Miss),
}

/// What the `CollectorsGroup` is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) ready: bool,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Looks {
    /// Takes the answers of a look. An address that is not among them is gone.
    pub(super) fn take(&mut self, answers: BTreeMap<SocketAddr, Result<(), Miss>>) {
        self.empty = [answers.is_empty(), self.empty[0]];
        let before = std::mem::take(&mut self.standings);
        let standing = |(address, answer)| {
            let standing = match (before.get(&address), answer) {
                (_, Ok(())) => Standing::Takes,
                (None, Err(_)) => Standing::Unknown,
                (Some(Standing::Takes), Err(_)) => Standing::Missed,
                (Some(_), Err(miss)) => Standing::Lost(miss),
            };
            (address, standing)
        };
        self.standings = answers.into_iter().map(standing).collect();
    }

    /// How many addresses there are.
    pub(super) fn addresses(&self) -> usize {
        self.standings.len()
    }

    /// How many of them take telemetry.
    pub(super) fn ready(&self) -> usize {
        let takes = |standing: &&Standing| matches!(standing, Standing::Takes | Standing::Missed);
        self.standings.values().filter(takes).count()
    }

    /// What the object is to say, which says now that it is ready or not; `None` while it is to stay as it is.
    pub(super) fn judge(&self, is_ready: bool) -> Option<Judgement> {
        let (addresses, ready) = (self.addresses(), self.ready());
        if addresses == 0 {
            let judgement = Judgement {
                ready: false,
                reason: Reason::NoProxyAddress,
                message: Reason::NoProxyAddress.sentence().to_owned(),
            };
            return (self.empty == [true, true]).then_some(judgement);
        }
        let is_unsure = self.standings.values().any(|standing| *standing == Standing::Unknown);
        // That somebody takes telemetry is sure, whoever else does.
        if is_unsure && (is_ready || ready == 0) {
            return None;
        }
        Some(Judgement {
            ready: ready > 0,
            reason: if ready > 0 { Reason::TelemetryTaken } else { Reason::TelemetryNotTaken },
            message: self.message(),
        })
    }

    fn message(&self) -> String {
        let (addresses, ready) = (self.addresses(), self.ready());
        let [noun, verb] = if addresses == 1 { ["address", "takes"] } else { ["addresses", "take"] };
        let mut message = format!("{ready} of {addresses} {noun} {verb} telemetry");
        let lost: Vec<(SocketAddr, Miss)> = self.standings.iter().filter_map(lost).collect();
        for (address, miss) in lost.iter().take(NAMED) {
            // A string takes whatever is written.
            let _ = write!(message, "; {address} does not: {miss}");
        }
        if lost.len() > NAMED {
            let _ = write!(message, "; {} more do not", lost.len() - NAMED);
        }
        message + "."
    }
}

fn lost((address, standing): (&SocketAddr, &Standing)) -> Option<(SocketAddr, Miss)> {
    match standing {
        Standing::Lost(miss) => Some((*address, *miss)),
        Standing::Takes | Standing::Missed | Standing::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    const REFUSED: Miss = Miss::Unconnected(ErrorKind::ConnectionRefused);

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 13133))
    }

    /// A look at addresses that are told by the last number of each.
    fn look(looks: &mut Looks, answers: &[(u8, Result<(), Miss>)]) {
        looks.take(answers.iter().map(|(last, answer)| (address(*last), *answer)).collect());
    }

    /// What is said after a number of looks, each by one who goes by what was said before.
    fn say(looks: &[&[(u8, Result<(), Miss>)]], mut is_ready: bool) -> Vec<Option<(bool, String)>> {
        let mut known = Looks::default();
        let mut said = Vec::new();
        for answers in looks {
            look(&mut known, answers);
            let judgement = known.judge(is_ready);
            is_ready = judgement.as_ref().map_or(is_ready, |it| it.ready);
            said.push(judgement.map(|it| (it.ready, it.message)));
        }
        said
    }

    fn some(ready: bool, message: &str) -> Option<(bool, String)> {
        Some((ready, message.to_owned()))
    }

    #[test]
    fn one_address_that_takes_telemetry_is_enough() {
        let both = "2 of 2 addresses take telemetry.";
        let one = "1 of 2 addresses take telemetry; 10.0.0.8:13133 does not: connection refused.";
        let down: &[_] = &[(7, Ok(())), (8, Err(REFUSED))];
        let up: &[_] = &[(7, Ok(())), (8, Ok(()))];
        assert_eq!(say(&[up, down, down, up], true), [both, both, one, both].map(|message| some(true, message)));
    }

    #[test]
    fn one_slow_moment_of_the_only_address_is_no_loss_and_two_are_and_recovery_counts_at_once() {
        let (up, slow): (&[_], &[_]) = (&[(7, Ok(()))], &[(7, Err(Miss::Slow))]);
        let takes = some(true, "1 of 1 address takes telemetry.");
        let lost = some(false, "0 of 1 address takes telemetry; 10.0.0.7:13133 does not: no answer within 2 s.");
        let said = say(&[up, slow, up, slow, slow, up], true);
        assert_eq!(said, [takes.clone(), takes.clone(), takes.clone(), takes.clone(), lost, takes]);
    }

    #[test]
    fn whoever_takes_over_leaves_the_status_until_the_answers_are_sure() {
        let down: &[_] = &[(7, Ok(())), (8, Err(REFUSED))];
        let told = some(true, "1 of 2 addresses take telemetry; 10.0.0.8:13133 does not: connection refused.");
        assert_eq!(say(&[down, down], true), [None, told]);
        let nobody: &[_] = &[(7, Err(REFUSED))];
        assert_eq!(say(&[nobody], true), [None]);
        assert_eq!(say(&[nobody], false), [None]);
    }

    #[test]
    fn an_address_in_the_place_of_another_has_a_second_look_to_answer() {
        let looks: [&[_]; 3] = [&[(7, Ok(()))], &[(8, Err(REFUSED))], &[(8, Ok(()))]];
        let takes = some(true, "1 of 1 address takes telemetry.");
        assert_eq!(say(&looks, true), [takes.clone(), None, takes]);
    }

    #[test]
    fn a_group_that_is_not_ready_becomes_so_by_the_first_that_answers() {
        let said = say(&[&[(7, Ok(())), (8, Err(REFUSED))]], false);
        assert_eq!(said, [some(true, "1 of 2 addresses take telemetry.")]);
    }

    #[test]
    fn no_address_at_two_looks_is_nobody_who_takes_telemetry() {
        let none = some(false, "There is no address of the telemetry proxy.");
        assert_eq!(say(&[&[], &[], &[]], true), [None, none.clone(), none]);
        let takes = some(true, "1 of 1 address takes telemetry.");
        assert_eq!(say(&[&[], &[(7, Ok(()))], &[]], true), [None, takes, None]);
    }

    #[test]
    fn a_message_names_few_of_many() {
        let answers: Vec<_> = (1..=6).map(|last| (last, Err(Miss::Answered(503)))).collect();
        let said = say(&[&answers, &answers], true);
        let (_, message) = said[1].clone().expect("it is sure");
        assert_eq!(message.matches("it answers 503").count(), 3, "{message}");
        assert!(message.ends_with("; 3 more do not."), "{message}");
    }
}
