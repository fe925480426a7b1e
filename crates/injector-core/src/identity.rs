//! The identity file: who a container is, as its node agent found out. Each line is a resource attribute, `key=value`, the
//! value as it is; blank lines and lines that begin with `#` mean nothing. `service.name` is the service's name.

use crate::{attributes::is_value, layout::split_first};

/// The attribute that names the pod.
pub(crate) const POD: &str = "k8s.pod.name";
/// The attribute that names the namespace.
pub(crate) const NAMESPACE: &str = "k8s.namespace.name";

/// The longest identity file that is read, in bytes.
pub const IDENTITY_LIMIT: usize = 2048;

/// The text of an identity file. Lines that make no sense are passed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'t>(pub &'t [u8]);

impl<'t> Identity<'t> {
    /// The attributes, in the order of the lines.
    pub fn attributes(self) -> impl Iterator<Item = (&'t str, &'t [u8])> {
        self.0.split(|byte| *byte == b'\n').filter_map(attribute)
    }

    /// Whether it tells the pod and its namespace, so that nobody has to guess.
    pub fn is_complete(self) -> bool {
        self.get(POD).is_some() && self.get(NAMESPACE).is_some()
    }

    /// The value of an attribute.
    pub fn get(self, key: &str) -> Option<&'t [u8]> {
        self.attributes().find(|(found, _)| *found == key).map(|(_, value)| value)
    }
}

fn attribute(line: &[u8]) -> Option<(&str, &[u8])> {
    let (key, value) = split_first(line, b'=')?;
    let (key, value) = (key.trim_ascii(), value.trim_ascii());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/".contains(byte);
    (!key.is_empty() && key.iter().all(plain) && is_value(value)).then_some((str::from_utf8(key).ok()?, value))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::Identity;

    #[test]
    fn each_line_is_an_attribute() {
        let identity = Identity(b"# by the node agent\nservice.name = shop \n\nk8s.pod.name=a-1\r\na.label=x=y\n");
        let expected = [("service.name", &b"shop"[..]), ("k8s.pod.name", b"a-1"), ("a.label", b"x=y")];
        assert_eq!(identity.attributes().collect::<Vec<_>>(), expected);
        assert_eq!(identity.get("k8s.pod.name"), Some(&b"a-1"[..]));
        assert_eq!(identity.get("k8s.node.name"), None);
        assert!(!identity.is_complete());
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        let identity = Identity(b"=a\nb=\nc\nd,e=f\n g h=i\nj=\x01\nk=\xff\nl=m");
        assert_eq!(identity.attributes().collect::<Vec<_>>(), [("l", &b"m"[..])]);
    }
}
