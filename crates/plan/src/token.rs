//! Where a tenant's token is.

/// A key of a Secret in the workload's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenRef {
    /// Name of the Secret.
    pub name: Box<str>,
    /// Key in the Secret.
    pub key: Box<str>,
}

impl TokenRef {
    /// Whether a Secret can have the name at all: a DNS subdomain. No other may stand in a request.
    pub fn names_a_secret(&self) -> bool {
        is_secret_name(&self.name)
    }
}

/// Whether a Secret can have the name: a DNS subdomain.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-');
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Whether a Secret can have the key.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(is_inner) && key != "." && !key.starts_with("..")
}
