//! HTTP messages, one at a time, on a connection that stays open: asked or answered, at next to no cost of its own.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A connection, of either side.
pub(crate) struct Connection<S> {
    stream: S,
    message: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, message: Vec::new() }
    }

    /// Sends a request and gives the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.send(request).await?;
        self.receive().await
    }

    /// Sends a whole message.
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<()> {
        self.stream.write_all(message).await?;
        Ok(self.stream.flush().await?)
    }

    /// Reads one whole message, head and body.
    pub(crate) async fn receive(&mut self) -> Result<&[u8]> {
        self.message.clear();
        let mut whole = None;
        while whole.is_none_or(|length| self.message.len() < length) {
            if self.stream.read_buf(&mut self.message).await? == 0 {
                bail!("the connection was closed");
            }
            if whole.is_none() {
                whole = length(&self.message)?;
            }
        }
        Ok(&self.message)
    }
}

/// A request that posts a body.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Whether an answer says that all is well.
pub(crate) fn is_ok(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200")
}

/// Length of a message, head and body, once its head is there.
fn length(message: &[u8]) -> Result<Option<usize>> {
    let Some(head) = message.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(message.get(..head).unwrap_or_default())?;
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(Some(head + 4 + body.context("a message without a length")??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_message_is_known_once_its_head_is_there() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n").expect("no error"), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").expect("no error"), Some(40));
        assert!(length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn what_is_posted_has_its_length() {
        let request = post("/a", &[("X", "y")], b"body");
        assert_eq!(length(&request).expect("no error"), Some(request.len()));
    }
}
