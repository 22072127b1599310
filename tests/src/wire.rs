//! HTTP/1.1 by hand, for requests that no client library would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::Result;

/// A request, byte by byte.
#[derive(Debug, Clone)]
pub struct Wire {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The lines before the body, in lower case.
    pub head: String,
    /// The body as JSON, `null` if it is none.
    pub body: Value,
}

impl Answer {
    /// The problem's `code`, empty if this is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Wire {
    /// A request without headers but those that every request has.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Sets a header, or replaces it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// The body, in JSON unless a header says otherwise.
    #[must_use]
    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        Self { body: body.as_ref().to_vec(), ..self }.header("Content-Type", "application/json")
    }

    /// Sends it on a connection of its own, to a base URL.
    pub fn send(&self, base: &str) -> Result<Answer> {
        let host = base.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host)?;
        connection.set_read_timeout(Some(Duration::from_secs(20)))?;
        let (method, path, length) = (&self.method, &self.path, self.body.len());
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n"
        )
        .into_bytes();
        for (name, value) in &self.headers {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        request.extend(&self.body);
        // A server that has heard enough answers, and closes, in the middle of it.
        let _ = connection.write_all(&request);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("nothing was answered")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        Ok(Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or_default(),
        })
    }
}
