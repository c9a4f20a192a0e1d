//! The client's opening handshake (RFC 6455 section 4.1).

use super::head::{Head, HeadScan, ScanError};
use super::verify::Expected;
use super::{HandshakeError, UpgradeRequest};
use crate::deflate::DeflateParams;
use std::fmt;
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::headers::MAX_HEADERS;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::header::SET_COOKIE;
use tungstenite::http::{HeaderMap, StatusCode};

/// How much of a refusal's body is kept, in bytes.
const BODY_PREFIX: usize = 1024;

/// How long the head of the server's answer, or of the client's request, may be. Checked as it
/// arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// Bytes of the first line and the headers. Default 16 KiB.
    pub max_header_bytes: usize,
    /// Lines of headers. Default 100; the parser's own limit, 124, holds above that.
    pub max_headers: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self {
            max_header_bytes: 16 * 1024,
            max_headers: 100,
        }
    }
}

/// The server's answer to an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeResponse {
    /// The HTTP status: 101, if it made a WebSocket of the connection.
    pub status: u16,
    /// All headers of the answer.
    pub headers: HeaderMap,
    /// The subprotocol chosen, one of those offered.
    pub subprotocol: Option<String>,
    /// What was agreed on for permessage-deflate, if it was offered and chosen.
    pub deflate: Option<DeflateParams>,
    /// Of a refusal: what came of the body together with the end of the headers, at most 1 KiB.
    pub body_prefix: Vec<u8>,
}

impl UpgradeResponse {
    /// The value of a header, if it is there and is text; the first, if it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The cookies that the server sets: the value of each Set-Cookie header that is text (RFC 6265
    /// section 4.1), attributes included.
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        let lines = self.headers.get_all(SET_COOKIE).iter();
        lines.filter_map(|line| line.to_str().ok())
    }
}

/// How far a handshake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The head of the answer is not all there. If the connection ends now, the handshake failed.
    NeedMore,
    /// The connection is a WebSocket.
    Done {
        /// What the server said.
        response: UpgradeResponse,
        /// How many bytes of those fed last belong to the answer. The others are frames.
        consumed: usize,
    },
}

/// One attempt at an upgrade.
///
/// ```
/// use hvloop_ws::WsUrl;
/// use hvloop_ws::handshake::{ClientHandshake, HandshakeLimits, Progress, UpgradeRequest};
///
/// let request = UpgradeRequest::new(&WsUrl::parse("ws://example.com/")?);
/// let (mut handshake, bytes) = ClientHandshake::start(&request, HandshakeLimits::default());
/// assert!(bytes.starts_with(b"GET / HTTP/1.1\r\nHost: example.com\r\n"));
/// assert_eq!(handshake.feed(b"HTTP/1.1 101 Switch")?, Progress::NeedMore);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientHandshake {
    expected: Expected,
    scan: HeadScan,
    /// The head so far, when it came in pieces.
    head: Vec<u8>,
    finished: bool,
}

impl ClientHandshake {
    /// Begins an attempt: the handshake and the bytes to send. The key is fresh and random.
    pub fn start(request: &UpgradeRequest, limits: HandshakeLimits) -> (Self, Vec<u8>) {
        let key = generate_key();
        let limits = HandshakeLimits {
            max_headers: limits.max_headers.min(MAX_HEADERS),
            ..limits
        };
        let handshake = Self {
            expected: Expected::new(request, &key),
            scan: HeadScan::new(Head::Answer, limits),
            head: Vec::new(),
            finished: false,
        };
        (handshake, request.to_bytes(&key))
    }

    /// Takes what the server sent next. Each byte is looked at once and parsed once, however
    /// small the pieces are.
    ///
    /// # Errors
    ///
    /// See [`HandshakeError`]. After an error, and after [`Progress::Done`], the handshake is over.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, HandshakeError> {
        if self.finished {
            return Err(HandshakeError::Finished);
        }
        let result = self.advance(bytes);
        if !matches!(result, Ok(Progress::NeedMore)) {
            self.finished = true;
            self.head = Vec::new();
        }
        result
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Progress, HandshakeError> {
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            let Some(end) = self.scan.end(rest)? else {
                self.head.extend_from_slice(rest);
                return Ok(Progress::NeedMore);
            };
            consumed += end;
            let response = if self.head.is_empty() {
                parse(&rest[..end])?
            } else {
                self.head.extend_from_slice(&rest[..end]);
                parse(&self.head)?
            };
            let status = response.status();
            if status == StatusCode::SWITCHING_PROTOCOLS {
                let headers = response.into_parts().0.headers;
                let (subprotocol, deflate) = self.expected.verify(&headers)?;
                let response = UpgradeResponse {
                    status: status.as_u16(),
                    headers,
                    subprotocol,
                    deflate,
                    body_prefix: Vec::new(),
                };
                return Ok(Progress::Done { response, consumed });
            }
            if !status.is_informational() {
                let body = &bytes[consumed..];
                return Err(HandshakeError::Status {
                    status: status.as_u16(),
                    headers: Box::new(response.into_parts().0.headers),
                    body_prefix: body[..body.len().min(BODY_PREFIX)].to_vec(),
                });
            }
            // 100 Continue, 103 Early Hints: the answer follows (RFC 9110 section 15.2).
            self.head.clear();
            self.scan.restart();
        }
    }
}

impl From<ScanError> for HandshakeError {
    fn from(e: ScanError) -> Self {
        match e {
            ScanError::NotHttp => Self::Malformed("it does not begin with HTTP/1.".to_owned()),
            ScanError::TooLarge { limit } => Self::HeadersTooLarge { limit },
            ScanError::TooManyHeaders { limit } => Self::TooManyHeaders { limit },
        }
    }
}

/// Parses a whole head.
fn parse(head: &[u8]) -> Result<Response, HandshakeError> {
    match Response::try_parse(head) {
        Ok(Some((size, response))) if size == head.len() => Ok(response),
        Ok(_) => Err(HandshakeError::Malformed(
            "an empty line inside its head".to_owned(),
        )),
        Err(Error::Capacity(CapacityError::TooManyHeaders)) => {
            Err(HandshakeError::TooManyHeaders { limit: MAX_HEADERS })
        }
        Err(Error::Protocol(ProtocolError::WrongHttpVersion)) => Err(HandshakeError::WrongVersion),
        Err(error) => Err(HandshakeError::Malformed(error.to_string())),
    }
}

impl fmt::Debug for ClientHandshake {
    /// Leaves out the headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("gathered", &self.head.len())
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
