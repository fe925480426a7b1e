//! What the manager's two files say: which namespaces' Events are wanted, and which tokens are admitted. Wrong entries are
//! refused one by one, and no token ever comes out of here in a message.

use std::collections::BTreeSet;

pub use epiphyte_api::Token;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The longest name of a namespace.
const NAME: usize = 63;

/// The length of a uid.
pub(crate) const UID: usize = 36;

/// A name for what belongs to a token, which does not tell the token.
pub fn digest(token: &Token) -> String {
    Sha256::digest(token.expose().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A text with the digits of all tokens in it taken out. Nothing that is logged should have one: this is the second bolt.
pub fn redact(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(Token::PREFIX) {
        let (before, found) = rest.split_at(at + Token::PREFIX.len());
        let digits = found.bytes().take_while(|byte| Token::is_digit(*byte)).count();
        told.push_str(before);
        if digits >= Token::DIGITS {
            told.push_str("(redacted)");
        } else {
            told.push_str(found.get(..digits).unwrap_or_default());
        }
        rest = found.get(digits..).unwrap_or_default();
    }
    told.push_str(rest);
    told
}

/// A namespace whose Events are wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its uid, where the file has one; the older list has none.
    pub uid: Option<String>,
    /// Under which its Events are sent.
    pub token: Token,
}

/// An entry that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The entry: its name where it has one, else its number.
    pub entry: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// What counts.
    pub served: T,
    /// What does not.
    pub refused: Vec<Refused>,
}

/// A file that says nothing that could be made out. What it says itself is no part of the message: it may be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// It breaks off, or is no JSON.
    #[error("it is no JSON from line {line}, column {column} on")]
    NoJson {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// It is JSON of another shape.
    #[error("it is not a list")]
    NoList,
}

fn parse(bytes: &[u8]) -> Result<Value, InputError> {
    // The error of the parser would show what it stumbled over.
    serde_json::from_slice(bytes).map_err(|error| InputError::NoJson { line: error.line(), column: error.column() })
}

/// The namespaces of `namespaces_to_monitor.json`, by name: a list of objects, `null`, or the older object of tokens by name.
///
/// # Errors
/// When the file as a whole cannot be made out.
pub fn namespaces(bytes: &[u8]) -> Result<Read<Vec<Namespace>>, InputError> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let entries: Vec<Entry> = match parse(bytes)? {
        Value::Null => Vec::new(),
        Value::Array(entries) => {
            let entry = |it| Entry { name: text(it, "name"), uid: text(it, "uid"), token: text(it, "token") };
            entries.iter().map(entry).collect()
        }
        Value::Object(entries) => {
            let entry = |(name, token): (String, Value)| Entry {
                name: Some(name),
                uid: None,
                token: token.as_str().map(str::to_owned),
            };
            entries.into_iter().map(entry).collect()
        }
        _ => return Err(InputError::NoList),
    };
    let mut names = BTreeSet::new();
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    for (number, entry) in entries.into_iter().enumerate() {
        match check(entry) {
            Ok(namespace) if names.insert(namespace.name.clone()) => served.push(namespace),
            Ok(namespace) => refused.push(Refused { entry: namespace.name, why: "it is named twice" }),
            Err((name, why)) => {
                refused.push(Refused { entry: name.unwrap_or_else(|| format!("entry {}", number + 1)), why });
            }
        }
    }
    served.sort_unstable();
    Ok(Read { served, refused })
}

/// What is said of a namespace, right or wrong.
struct Entry {
    name: Option<String>,
    uid: Option<String>,
    token: Option<String>,
}

/// The namespace, or its name, if that is one, and what is wrong.
fn check(entry: Entry) -> Result<Namespace, (Option<String>, &'static str)> {
    let name = entry.name.filter(|name| is_name(name)).ok_or((None, "its name is not that of a namespace"))?;
    match entry.token.as_deref().and_then(Token::parse) {
        // Without its uid its Events are Events all the same.
        Some(token) => Ok(Namespace { name, uid: entry.uid.filter(|uid| is_uid(uid)), token }),
        None => Err((Some(name), "its token is not one")),
    }
}

/// Whether a text is a uid as the API server makes them: `01234567-89ab-cdef-0123-456789abcdef`.
fn is_uid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == UID && text.bytes().enumerate().all(is_right)
}

/// Whether a text can be the name of a namespace: a DNS label.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty()
        && text.len() <= NAME
        && text.bytes().all(is_letter)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The tokens of `tokens.json`: a list of texts, or `null`.
///
/// # Errors
/// When the file as a whole cannot be made out.
pub fn tokens(bytes: &[u8]) -> Result<Read<BTreeSet<Token>>, InputError> {
    let entries = match parse(bytes)? {
        Value::Null => Vec::new(),
        Value::Array(entries) => entries,
        _ => return Err(InputError::NoList),
    };
    let (mut served, mut refused) = (BTreeSet::new(), Vec::new());
    for (number, entry) in entries.iter().enumerate() {
        match entry.as_str().and_then(Token::parse) {
            Some(token) => {
                served.insert(token);
            }
            None => refused.push(Refused { entry: format!("entry {}", number + 1), why: "it is not a token" }),
        }
    }
    Ok(Read { served, refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(digit: char) -> String {
        format!("t_{}", digit.to_string().repeat(Token::DIGITS))
    }

    fn names(read: &Read<Vec<Namespace>>) -> Vec<&str> {
        read.served.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn the_list_its_older_shape_and_nothing_are_understood() {
        let (a, b) = (token('a'), token('b'));
        let list = format!(r#"[{{"name":"web","uid":"1","token":"{b}"}},{{"name":"shop","uid":"2","token":"{a}"}}]"#);
        let older = format!(r#"{{"web":"{b}","shop":"{a}"}}"#);
        let (list, older) = (namespaces(list.as_bytes()).expect("read"), namespaces(older.as_bytes()).expect("read"));
        assert_eq!(names(&list), ["shop", "web"]);
        assert_eq!(list, older);
        for nothing in ["[]", "null", "{}", " [\n] "] {
            assert_eq!(namespaces(nothing.as_bytes()).expect("read").served, [], "{nothing}");
        }
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_says_nothing_and_shows_nothing() {
        let text = format!(r#"[{{"name":"shop","uid":"1","token":"{}"}}]"#, token('a'));
        for end in 0..text.len() {
            let error = namespaces(text.get(..end).expect("ASCII").as_bytes()).expect_err("it is cut off");
            assert!(!error.to_string().contains("aaa"), "{error}");
        }
        for other in ["3", "\"t_aaaaaaaaaaaaaaaaaaaaa\"", "true"] {
            assert_eq!(namespaces(other.as_bytes()), Err(InputError::NoList));
            assert_eq!(tokens(other.as_bytes()), Err(InputError::NoList));
        }
    }

    #[test]
    fn a_wrong_entry_is_refused_by_name_and_the_rest_is_served() {
        let (good, poisoned) = (token('a'), format!("{}\\nexporters: {{debug: {{}}}}", token('b')));
        let long = "x".repeat(NAME + 1);
        let text = format!(
            r#"[{{"name":"shop","token":"{good}"}}, {{"name":"poisoned","token":"{poisoned}"}},
                {{"name":"template","token":"${{env:HOME}}"}}, {{"name":"No Name","token":"{good}"}},
                {{"name":"{long}","token":"{good}"}}, {{"name":"none"}}, {{"name":"shop","token":"{good}"}}, 5, null,
                {{"name":"web","token":"{good}"}}]"#
        );
        let read = namespaces(text.as_bytes()).expect("read");
        assert_eq!(names(&read), ["shop", "web"]);
        let refused: Vec<&str> = read.refused.iter().map(|it| it.entry.as_str()).collect();
        assert_eq!(refused, ["poisoned", "template", "entry 4", "entry 5", "none", "shop", "entry 8", "entry 9"]);
        assert!(!format!("{read:?}").contains("t_"), "{read:?}");
    }

    #[test]
    fn a_uid_that_is_none_is_left_out_and_its_namespace_is_not() {
        let uid = "01234567-89ab-cdef-0123-456789abcdef";
        for (told, read) in [(uid, Some(uid)), ("1", None), ("", None), (&uid.replace('f', "\""), None)] {
            let text = serde_json::json!([{ "name": "shop", "uid": told, "token": token('a') }]).to_string();
            let served = namespaces(text.as_bytes()).expect("read").served;
            assert_eq!(served.iter().map(|it| it.uid.as_deref()).collect::<Vec<_>>(), [read], "{told}");
        }
    }

    #[test]
    fn a_token_is_the_whole_value() {
        let good = token('0');
        let bad = [format!("{good}0"), format!("{good}\n"), format!(" {good}"), good.to_uppercase(), String::new()];
        for bad in &bad {
            assert_eq!(Token::parse(bad), None, "{bad:?}");
        }
        let listed = serde_json::json!([good, bad.first(), 7, null]).to_string();
        let read = tokens(listed.as_bytes()).expect("read");
        assert_eq!(read.served.iter().map(Token::expose).collect::<Vec<_>>(), [good]);
        assert_eq!(read.refused.len(), 3);
        assert_eq!(tokens(b"null").expect("read").served.len(), 0);
    }

    #[test]
    fn tokens_are_taken_out_of_what_is_told() {
        let text = format!("a t_ b t_12 {} é {}ff", token('a'), token('b'));
        assert_eq!(redact(&text), "a t_ b t_12 t_(redacted) é t_(redacted)");
        assert_eq!(redact("nothing"), "nothing");
    }
}
