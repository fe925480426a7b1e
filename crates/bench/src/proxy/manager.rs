//! What the operator's manager tells the proxy: the namespaces to monitor and the tokens to admit.

use serde_json::{Value, json};

/// The `number`-th of all tokens.
pub(super) fn token(number: usize) -> String {
    format!("t_{number:021x}")
}

/// The header under which a token is sent.
pub(super) fn authorization(token: &str) -> String {
    format!("LumigoToken {token}")
}

/// Namespaces, and the tokens that they share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tenants {
    pub(super) namespaces: usize,
    pub(super) tokens: usize,
    /// How many namespaces went, and came in their place, with as many tokens.
    pub(super) change: usize,
}

impl Tenants {
    /// The list of the namespaces.
    pub(super) fn namespaces(self) -> Vec<Value> {
        let namespace = |number: usize| {
            let token = token(self.change + number % self.tokens);
            let name = format!("team-{:05}", self.change + number);
            json!({ "name": name, "uid": format!("00000000-0000-4000-8000-{number:012x}"), "token": token })
        };
        (0..self.namespaces).map(namespace).collect()
    }

    /// The tokens.
    pub(super) fn tokens(self) -> impl Iterator<Item = String> {
        (self.change..self.change + self.tokens).map(token)
    }

    /// The token that came last.
    pub(super) fn newest(self) -> String {
        token(self.change + self.tokens - 1)
    }
}
