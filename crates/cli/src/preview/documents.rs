//! From the bytes of a file to its documents: YAML streams, Helm output and JSON, each document by itself, so that a
//! broken one spoils no other.

use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    /// The file as it was named or found; `stdin` for standard input.
    pub(crate) file: String,
    /// Number of the document in the file, from 1.
    pub(crate) document: usize,
    /// Line of the file on which its content begins, from 1.
    pub(crate) line: usize,
    /// Number of the object in the document, from 1, where the document is a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<usize>,
}

/// A document of a file, or why it cannot be read and on which line of the file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) place: Place,
    pub(crate) content: Result<Value, Broken>,
}

/// A document cannot be read.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Line of the file on which reading failed.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// Reads every document of a file. Empty ones are counted and left out.
pub(crate) fn documents(file: &str, content: &[u8]) -> Vec<Document> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut documents = Vec::new();
    let mut number = 0;
    for piece in split(content) {
        for content in piece.read() {
            number += 1;
            if !matches!(content, Ok(Value::Null)) {
                let place = Place { file: file.to_owned(), document: number, line: piece.content_line(), item: None };
                documents.push(Document { place, content });
            }
        }
    }
    documents
}

/// A part of a stream that holds one YAML document, or JSON.
struct Piece<'a> {
    /// Line of the file on which the piece begins.
    first_line: usize,
    text: &'a [u8],
}

/// Cuts a stream where YAML says that a document begins or ends. What stands before the first mark is a document only if
/// it is more than comments and directives.
fn split(stream: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    let mut begun = false;
    for (line, number) in stream.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        let (begins, ends) = (is_mark(line, b"---"), is_mark(line, b"..."));
        if begins && begun {
            pieces.push(Piece { first_line, text: stream.get(start..offset).unwrap_or_default() });
            (start, first_line) = (offset, number);
        }
        begun |= begins || (!ends && is_content(line));
        offset += line.len();
        if ends {
            if begun {
                pieces.push(Piece { first_line, text: stream.get(start..offset).unwrap_or_default() });
            }
            (start, first_line, begun) = (offset, number + 1, false);
        }
    }
    if begun {
        pieces.push(Piece { first_line, text: stream.get(start..).unwrap_or_default() });
    }
    pieces
}

fn is_mark(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

fn is_content(line: &[u8]) -> bool {
    !matches!(line.trim_ascii().first(), None | Some(b'#' | b'%'))
}

impl Piece<'_> {
    /// The lines before the content: comments, directives and a mark without anything behind it.
    fn lines_before_content(&self) -> usize {
        let is_empty = |line: &&[u8]| {
            let line = if is_mark(line, b"---") { line.get(3..).unwrap_or_default() } else { line };
            !is_content(line)
        };
        self.text.split_inclusive(|byte| *byte == b'\n').take_while(is_empty).count()
    }

    fn content_line(&self) -> usize {
        self.first_line + self.lines_before_content()
    }

    /// One document, or more where JSON values follow each other.
    fn read(&self) -> Vec<Result<Value, Broken>> {
        let Some(json) = self.json() else { return vec![self.yaml()] };
        let values: Vec<_> = serde_json::Deserializer::from_slice(&json).into_iter().collect();
        if values.iter().all(Result::is_ok) {
            return values.into_iter().filter_map(Result::ok).map(Ok).collect();
        }
        // YAML in braces looks like JSON at first.
        match self.yaml() {
            Ok(value) => vec![Ok(value)],
            Err(_) => values
                .into_iter()
                .map(|value: Result<Value, _>| {
                    value.map_err(|error| Broken { line: error.line(), message: error.to_string() })
                })
                .collect(),
        }
    }

    /// The content with its line numbers in the file, where it looks like JSON.
    fn json(&self) -> Option<Vec<u8>> {
        let lines = self.text.split_inclusive(|byte| *byte == b'\n').skip(self.lines_before_content());
        let content: Vec<u8> = lines.flatten().copied().collect();
        let is_json = matches!(content.trim_ascii_start().first(), Some(b'{' | b'['));
        is_json.then(|| on_line(self.content_line(), &content))
    }

    fn yaml(&self) -> Result<Value, Broken> {
        // Line numbers count only once something is wrong.
        parse(self.text).or_else(|_| parse(&on_line(self.first_line, self.text))).map_err(|error| {
            let location = error.downcast_ref::<yaml_serde::Error>().and_then(yaml_serde::Error::location);
            let line = location.map_or(self.content_line(), |location| location.line());
            Broken { line, message: error.to_string() }
        })
    }
}

/// The text pushed down to a line, for errors to name the lines of the file.
fn on_line(line: usize, text: &[u8]) -> Vec<u8> {
    let mut pushed = vec![b'\n'; line.saturating_sub(1)];
    pushed.extend_from_slice(text);
    pushed
}

fn parse(text: &[u8]) -> anyhow::Result<Value> {
    let mut value: yaml_serde::Value = yaml_serde::from_slice(text)?;
    value.apply_merge()?;
    serde_json::to_value(value).map_err(|error| anyhow!("not expressible as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Document> {
        documents("f", text.as_bytes())
    }

    fn numbers(text: &str) -> Vec<(usize, usize)> {
        read(text).iter().map(|it| (it.place.document, it.place.line)).collect()
    }

    fn broken(text: &str) -> Vec<(usize, usize)> {
        let broken = |it: &Document| it.content.as_ref().err().map(|broken| (it.place.document, broken.line));
        read(text).iter().filter_map(broken).collect()
    }

    #[test]
    fn documents_are_numbered_as_yaml_counts_them() {
        assert_eq!(numbers("a: 1\n---\nb: 2\n"), [(1, 1), (2, 3)]);
        assert_eq!(numbers("---\na: 1\n---\nb: 2"), [(1, 2), (2, 4)]);
        assert_eq!(numbers("# only a comment\n\n---\na: 1\n"), [(1, 4)]);
        assert_eq!(numbers("%YAML 1.1\n---\na: 1\n...\n# more\n---\nb: 2\n"), [(1, 3), (2, 7)]);
    }

    #[test]
    fn empty_documents_are_counted_and_left_out() {
        let helm = "---\n# Source: a.yaml\n---\n# Source: b.yaml\na: 1\n---\n";
        assert_eq!(numbers(helm), [(2, 5)]);
        assert_eq!(numbers(""), []);
        assert_eq!(numbers("\n# nothing\n"), []);
    }

    #[test]
    fn content_may_stand_behind_the_mark() {
        assert_eq!(numbers("--- {a: 1}\n--- # nothing\n---\tb\n"), [(1, 1), (3, 3)]);
    }

    #[test]
    fn dashes_within_a_document_do_not_end_it() {
        assert_eq!(numbers("a: |\n  ---\n  text\nb: ---x\n---y: 1\n"), [(1, 1)]);
    }

    #[test]
    fn carriage_returns_and_a_byte_order_mark_are_no_content() {
        assert_eq!(numbers("\u{feff}---\r\na: 1\r\n---\r\nb: 2\r\n"), [(1, 2), (2, 4)]);
    }

    #[test]
    fn an_error_names_its_line_in_the_file_and_spares_the_others() {
        let text = "a: 1\n---\nb: 2\n---\nc: 3\nd: [\ne: }\n---\nf: 4\n";
        assert_eq!(numbers(text).len(), 4);
        let [(3, line)] = broken(text)[..] else { panic!("{:?}", broken(text)) };
        assert!((6..=7).contains(&line), "{line}");
        let document = read(text).remove(2);
        let message = document.content.expect_err("broken").message;
        assert!(message.contains(&format!("line {line} ")), "{message}");
    }

    #[test]
    fn json_is_read_with_tabs_and_one_after_the_other() {
        assert_eq!(numbers("{\n\t\"a\": 1\n}\n{\"b\": 2}\n"), [(1, 1), (2, 1)]);
        assert_eq!(broken("a: 1\n---\n\n{\n \"a\": 1,\n}\n"), []);
        assert_eq!(broken("a: 1\n---\n\n{\n \"a\": 1\n \"b\": 2\n}\n"), [(2, 6)]);
    }

    #[test]
    fn yaml_in_braces_is_no_broken_json() {
        assert_eq!(read("{a: 1}\n")[0].content.as_ref().expect("YAML")["a"], 1);
    }

    #[test]
    fn merge_keys_are_merged() {
        let merged = read("base: &base {a: 1}\nmore:\n  <<: *base\n  b: 2\n");
        assert_eq!(merged[0].content.as_ref().expect("YAML")["more"], serde_json::json!({ "a": 1, "b": 2 }));
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_of_their_document_only() {
        let found = documents("f", b"a: 1\n---\nb: \xff\xfe\n---\nc: 1\n");
        let readable: Vec<bool> = found.iter().map(|it| it.content.is_ok()).collect();
        assert_eq!(readable, [true, false, true]);
    }
}
