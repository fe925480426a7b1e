//! What became of the question for a tenant's token.

use std::collections::BTreeMap;

use epiphyte_api::{Reason, Token};
use k8s_openapi::ByteString;

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
