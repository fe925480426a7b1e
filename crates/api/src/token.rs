//! A tenant's token.

use std::fmt;

/// A tenant's token: `t_` and 21 hexadecimal digits in lower case, the whole value. Nothing shows it but [`Token::expose`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(Box<str>);

impl Token {
    /// What every token starts with.
    pub const PREFIX: &str = "t_";

    /// How many hexadecimal digits follow.
    pub const DIGITS: usize = 21;

    /// The token that a value is; `None` if it is anything else, such as a token with a line break after it.
    pub fn parse(value: impl AsRef<[u8]>) -> Option<Self> {
        let text = std::str::from_utf8(value.as_ref()).ok()?;
        let digits = text.strip_prefix(Self::PREFIX)?;
        let is_token = digits.len() == Self::DIGITS && digits.bytes().all(Self::is_digit);
        is_token.then(|| Self(text.into()))
    }

    /// Whether a byte can be one of the digits.
    pub const fn is_digit(byte: u8) -> bool {
        matches!(byte, b'0'..=b'9' | b'a'..=b'f')
    }

    /// The token itself, for the telemetry proxy's files.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

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
}
