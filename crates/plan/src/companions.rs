//! Labels beside `lumigo.auto-trace: "true"`, which stand in for a Lumigo where the namespace has none.

use epiphyte_api::{Reason, names};

use crate::token::{is_secret_key, is_secret_name};
use crate::{Finding, TokenRef};

/// What the labels beside one that turns injection on ask for. It counts only where the namespace has no Lumigo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companions {
    /// Whether traces are sent: unless `lumigo.enable-traces` says `false`.
    pub traces: bool,
    /// Whether logs are sent: only if `lumigo.enable-logs` says `true`.
    pub logs: bool,
    /// Where the token is, by `lumigo.token-secret` and `lumigo.token-key` or their defaults.
    pub token: TokenRef,
    /// Labels whose value can be no Secret or no key, so that the default stands in.
    pub invalid: Box<[Box<str>]>,
}

impl Default for Companions {
    fn default() -> Self {
        let token = TokenRef { name: names::DEFAULT_TOKEN_SECRET.into(), key: names::DEFAULT_TOKEN_KEY.into() };
        Self { traces: true, logs: false, token, invalid: Box::default() }
    }
}

impl Companions {
    /// Reads the labels `lumigo.enable-traces`, `lumigo.enable-logs`, `lumigo.token-secret` and `lumigo.token-key`; `None`
    /// where none of them is there.
    pub(crate) fn read(
        traces: Option<&str>,
        logs: Option<&str>,
        secret: Option<&str>,
        key: Option<&str>,
    ) -> Option<Box<Self>> {
        [traces, logs, secret, key].iter().any(Option::is_some).then(|| {
            let mut companions = Self {
                traces: !traces.is_some_and(|value| value.eq_ignore_ascii_case("false")),
                logs: logs.is_some_and(|value| value.eq_ignore_ascii_case("true")),
                ..Self::default()
            };
            let mut invalid = Vec::new();
            let mut take =
                |label: &str, value: Option<&str>, is_valid: fn(&str) -> bool, into: &mut Box<str>| match value {
                    Some(value) if is_valid(value) => *into = value.into(),
                    // Without its value: somebody may have put the token itself there.
                    Some(_) => invalid.push(label.into()),
                    None => {}
                };
            take(names::TOKEN_SECRET_LABEL, secret, is_secret_name, &mut companions.token.name);
            take(names::TOKEN_KEY_LABEL, key, is_secret_key, &mut companions.token.key);
            companions.invalid = invalid.into();
            Box::new(companions)
        })
    }

    /// A finding for each label whose value makes no sense.
    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.invalid.iter().map(|label| Finding::about(Reason::InvalidTokenLabel, &**label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str, key: &str) -> (String, String, usize) {
        let companions = Companions::read(None, None, Some(secret), Some(key)).expect("two are there");
        (companions.token.name.into(), companions.token.key.into(), companions.invalid.len())
    }

    #[test]
    fn a_name_or_key_that_cannot_exist_falls_back_to_its_default() {
        assert_eq!(token("my.tokens-2", "api_Key"), ("my.tokens-2".into(), "api_Key".into(), 0));
        for secret in ["", "My-Secret", "a_b", "-a", "a-", "a..b", &"a".repeat(254)] {
            assert_eq!(token(secret, "k"), ("lumigo-credentials".into(), "k".into(), 1), "{secret:?}");
        }
        for key in ["", ".", "..k", "a b", &"a".repeat(254)] {
            assert_eq!(token("s", key), ("s".into(), "token".into(), 1), "{key:?}");
        }
    }

    #[test]
    fn traces_are_sent_unless_told_otherwise_and_logs_only_if_told() {
        let sent = |traces, logs| {
            Companions::read(traces, logs, Some("s"), None).map(|companions| (companions.traces, companions.logs))
        };
        assert_eq!(sent(None, None), Some((true, false)));
        assert_eq!(sent(Some("False"), Some("TRUE")), Some((false, true)));
        assert_eq!(sent(Some("no"), Some("yes")), Some((true, false)));
        assert_eq!(Companions::read(None, None, None, None), None);
    }
}
