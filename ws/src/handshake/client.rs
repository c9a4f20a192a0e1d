//! The client's opening handshake (RFC 6455 section 4.1).

use super::head::{MAX_HEADERS, body_length, header_map, scan};
use super::limits::HandshakeLimits;
use super::verify::Expected;
use super::{HandshakeError, UpgradeRequest};
use crate::deflate::DeflateParams;
use http::HeaderMap;
use http::header::SET_COOKIE;
use hvloop_event::http::{BodyLength, BodyPrefix, HeadOf, HeadScan, ScanError};
use tungstenite::handshake::client::generate_key;

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
    /// Of a refusal: the beginning of its body, at most 1 KiB; less, if the connection or its time ended
    /// first.
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
#[non_exhaustive]
pub enum Progress {
    /// The answer is not all there. If the connection ends now, the handshake failed, and
    /// [`ClientHandshake::end`] says how.
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
    /// The server refused, and its body is being read.
    refusal: Option<Box<Refusal>>,
    finished: bool,
}

/// An answer that makes no WebSocket of the connection.
struct Refusal {
    status: u16,
    headers: HeaderMap,
    body: BodyPrefix,
}

impl From<Refusal> for HandshakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Status {
            status: refusal.status,
            headers: Box::new(refusal.headers),
            body_prefix: refusal.body.into_bytes(),
        }
    }
}

/// The head of an answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    http_1_1: bool,
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
            scan: scan(HeadOf::Answer, limits),
            head: Vec::new(),
            refusal: None,
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

    /// Status and headers of a refusal whose body is still coming.
    pub fn refusal(&self) -> Option<(u16, &HeaderMap)> {
        let refusal = self.refusal.as_ref()?;
        Some((refusal.status, &refusal.headers))
    }

    /// Nothing more comes, because the connection or its time is at its end: the refusal, with what came
    /// of its body; `None`: the server has not answered, or the handshake was over before.
    pub fn end(&mut self) -> Option<HandshakeError> {
        self.finished = true;
        self.head = Vec::new();
        self.refusal.take().map(|refusal| (*refusal).into())
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Progress, HandshakeError> {
        if self.refusal.is_some() {
            return self.read_body(bytes);
        }
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            let Some(end) = self.scan.end(rest)? else {
                self.head.extend_from_slice(rest);
                return Ok(Progress::NeedMore);
            };
            consumed += end;
            let answer = if self.head.is_empty() {
                parse(&rest[..end])?
            } else {
                self.head.extend_from_slice(&rest[..end]);
                parse(&self.head)?
            };
            match answer.status {
                101 => return self.accepted(answer, consumed),
                // 100 Continue, 103 Early Hints: the answer follows (RFC 9110 section 15.2).
                100..=199 => {
                    self.head.clear();
                    self.scan.restart();
                }
                _ => {
                    self.head = Vec::new();
                    self.refusal = Some(Box::new(answer.refused()));
                    return self.read_body(&bytes[consumed..]);
                }
            }
        }
    }

    /// The answer is a 101.
    fn accepted(&self, answer: Answer, consumed: usize) -> Result<Progress, HandshakeError> {
        if !answer.http_1_1 {
            return Err(HandshakeError::WrongVersion);
        }
        match body_length(&answer.headers, true) {
            Ok(None | Some(BodyLength::Known(0))) => {}
            Ok(Some(_)) => return Err(HandshakeError::UnexpectedBody),
            Err(how) => return Err(HandshakeError::Malformed(how.to_owned())),
        }
        let (subprotocol, deflate) = self.expected.verify(&answer.headers)?;
        let response = UpgradeResponse {
            status: answer.status,
            headers: answer.headers,
            subprotocol,
            deflate,
            body_prefix: Vec::new(),
        };
        Ok(Progress::Done { response, consumed })
    }

    /// Reads on in the body of a refusal; an error, once it is whole.
    fn read_body(&mut self, bytes: &[u8]) -> Result<Progress, HandshakeError> {
        let whole = match &mut self.refusal {
            Some(refusal) => refusal.body.feed(bytes),
            None => false,
        };
        match self.refusal.take_if(|_| whole) {
            Some(refusal) => Err((*refusal).into()),
            None => Ok(Progress::NeedMore),
        }
    }
}

impl Answer {
    fn refused(self) -> Refusal {
        let body = match body_length(&self.headers, self.http_1_1) {
            Ok(length) => BodyPrefix::new(self.status, length),
            // What is its body nobody knows; the status is what matters.
            Err(_) => BodyPrefix::nothing(),
        };
        Refusal {
            status: self.status,
            headers: self.headers,
            body,
        }
    }
}

impl From<ScanError> for HandshakeError {
    fn from(e: ScanError) -> Self {
        match e {
            ScanError::NotHttp => Self::Malformed("it does not begin with HTTP/1.".to_owned()),
            ScanError::TooLarge { limit } => Self::HeadersTooLarge { limit },
            ScanError::TooManyHeaders { limit } => Self::TooManyHeaders { limit },
            _ => Self::Malformed(e.to_string()),
        }
    }
}

/// Parses a whole head.
fn parse(head: &[u8]) -> Result<Answer, HandshakeError> {
    let malformed = |what: String| HandshakeError::Malformed(what);
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut lines);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(size)) if size == head.len() => {}
        Ok(_) => return Err(malformed("an empty line inside its head".to_owned())),
        Err(e) => return Err(malformed(e.to_string())),
    }
    let status = parsed.code.filter(|status| (100..1000).contains(status));
    Ok(Answer {
        status: status.ok_or_else(|| malformed("it has no status".to_owned()))?,
        headers: header_map(parsed.headers).map_err(malformed)?,
        http_1_1: parsed.version == Some(1),
    })
}

// Leaves out the headers.
hvloop_event::debug_fields!(ClientHandshake, this:
    "gathered" = this.head.len(),
    "finished" = this.finished,
);

#[cfg(test)]
mod tests;
