//! A list of resource attributes as OpenTelemetry writes it: `key=value,key=value`.

use crate::{layout::split_first, text::Text};

/// Whether a list has a value for a key.
pub(crate) fn has(list: &[u8], key: &str) -> bool {
    list.split(|byte| *byte == b',')
        .filter_map(|pair| split_first(pair, b'='))
        .any(|(found, _)| found.trim_ascii() == key.as_bytes())
}

/// Adds an attribute to a list, unless the list has one for that key. The list is the whole of the text after `start`.
pub(crate) fn add(list: &mut Text<'_>, start: usize, key: &str, value: &[u8]) -> Option<()> {
    let written = list.written().get(start..)?;
    if has(written, key) {
        return Some(());
    }
    if !matches!(written.trim_ascii_end(), [] | [.., b',']) {
        list.push(b",")?;
    }
    list.push(key.as_bytes())?;
    list.push(b"=")?;
    list.push_encoded(value)
}

/// Whether a value can be sent: text without control characters.
pub(crate) fn is_value(value: &[u8]) -> bool {
    !value.is_empty() && !value.iter().any(u8::is_ascii_control) && str::from_utf8(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{add, has, is_value};
    use crate::text::Page;

    #[test]
    fn keys_are_found_whatever_stands_around_them() {
        assert!(has(b"a=1, b = 2 ,c=", "b"));
        assert!(has(b"a=1,c=", "c"));
        assert!(!has(b"a=b,bb=1,b", "b"));
        assert!(!has(b"", "b"));
    }

    #[test]
    fn what_is_there_already_is_not_added() {
        let mut memory = [0; 64];
        let list = Page::new(&mut memory).text(|text| {
            text.push(b"X=a=1, ")?;
            add(text, 2, "a", b"2")?;
            add(text, 2, "b", b"3 4")?;
            add(text, 2, "b", b"5")?;
            add(text, 2, "c", b"6")
        });
        assert_eq!(list, Some(&b"X=a=1, b=3%204,c=6\0"[..]));
    }

    #[test]
    fn control_characters_and_broken_text_are_no_values() {
        assert!(is_value("\u{e9}".as_bytes()));
        assert!(!is_value(b""));
        assert!(!is_value(b"a\nb"));
        assert!(!is_value(b"\xff"));
    }
}
