//! A tenant's token, and what became of the question for it.

use std::collections::BTreeMap;
use std::fmt;

use epiphyte_api::Reason;
use k8s_openapi::ByteString;

/// How many hexadecimal digits follow the prefix.
const DIGITS: usize = 21;

/// A tenant's token: `t_` and 21 hexadecimal digits in lower case, the whole value. Nothing shows it but [`Token::expose`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(Box<str>);

impl Token {
    /// The token that a value is; `None` if it is anything else, such as a token with a line break after it.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let digits = value.strip_prefix(b"t_")?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_token = digits.len() == DIGITS && digits.iter().all(is_digit);
        is_token.then(|| String::from_utf8_lossy(value).as_ref().into()).map(Self)
    }

    /// The token itself, for the telemetry proxy's files.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a Secret that a Lumigo names holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    /// A token.
    Good(Token),
    /// No token, and why.
    Bad(Reason),
    /// The API server gave no answer yet.
    Unanswered,
}

impl TokenState {
    /// What the data of a Secret holds under a key.
    pub(super) fn read(data: &BTreeMap<String, ByteString>, key: &str) -> Self {
        match data.get(key) {
            None => Self::Bad(Reason::SecretKeyNotFound),
            Some(value) => Token::parse(&value.0).map_or(Self::Bad(Reason::TokenMalformed), Self::Good),
        }
    }

    /// The token, if it is good.
    pub(super) fn token(&self) -> Option<&Token> {
        match self {
            Self::Good(token) => Some(token),
            Self::Bad(_) | Self::Unanswered => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "t_0123456789abcdef01234";

    #[test]
    fn a_token_is_the_whole_value() {
        assert_eq!(Token::parse(GOOD.as_bytes()).expect("a token").expose(), GOOD);
        for bad in [
            "",
            "t_",
            "t_0123456789abcdef0123",
            "t_0123456789abcdef012345",
            "t_0123456789ABCDEF01234",
            "T_0123456789abcdef01234",
            "t_0123456789abcdef01234\n",
            " t_0123456789abcdef01234",
            "t_0123456789abcdef01234\nreceivers: {}",
            "t_0123456789abcdefg1234",
        ] {
            assert_eq!(Token::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Token::parse(b"t_0123456789abcdef0123\xff"), None);
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let token = Token::parse(GOOD.as_bytes()).expect("a token");
        assert!(!format!("{token:?} {:?}", TokenState::Good(token.clone())).contains("0123"));
    }

    #[test]
    fn a_secret_without_the_key_and_one_with_something_else_are_told_apart() {
        let data = |value: &str| [("token".to_owned(), ByteString(value.into()))].into();
        assert_eq!(TokenState::read(&data("hunter2"), "token"), TokenState::Bad(Reason::TokenMalformed));
        assert_eq!(TokenState::read(&data(GOOD), "other"), TokenState::Bad(Reason::SecretKeyNotFound));
        assert!(TokenState::read(&data(GOOD), "token").token().is_some());
    }
}
