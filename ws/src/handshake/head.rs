//! Finds the end of an HTTP head in bytes that come in pieces, looking at each byte once; and what
//! both roles make of its headers.

use super::limits::HandshakeLimits;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use hvloop_event::http::BodyLength;

/// Whose head is scanned. With anything else at its beginning the peer does not speak HTTP/1, and
/// there is no point in waiting for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A server's answer: it begins with its version.
    Answer,
    /// A client's request: it begins with a method, maybe behind empty lines (RFC 9112 section 2.2).
    Request,
}

/// The most lines of headers that are parsed, whatever the limits say.
pub(super) const MAX_HEADERS: usize = 124;

/// How an answer begins.
const START: &[u8] = b"HTTP/1.";

/// What ends a scan that found no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanError {
    NotHttp,
    /// A carriage return or a line feed alone: what one side takes for a line's end and another for
    /// a part of it (RFC 9112 section 2.2).
    LineEnd,
    TooLarge {
        limit: usize,
    },
    TooManyHeaders {
        limit: usize,
    },
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of it is seen.
    Start,
    /// A carriage return is all that is seen.
    StartCr,
    /// It is not empty.
    Inside,
    /// It is not empty, and a carriage return was the last byte.
    InsideCr,
}

/// The scan of one request, or of one answer, interim answers (1xx) included.
#[derive(Debug)]
pub(super) struct HeadScan {
    of: Head,
    limits: HandshakeLimits,
    /// Bytes of heads so far, of interim answers too.
    total: usize,
    /// Bytes of this head so far, counted as far as its beginning is checked.
    started: usize,
    /// Lines ended in this head, the status line included.
    lines: usize,
    line: Line,
}

impl HeadScan {
    /// A scan that begins with the first byte.
    pub(super) fn new(of: Head, limits: HandshakeLimits) -> Self {
        Self {
            of,
            limits,
            total: 0,
            started: 0,
            lines: 0,
            line: Line::Start,
        }
    }

    /// The head that ended was an interim answer: another one follows.
    pub(super) fn restart(&mut self) {
        *self = Self {
            total: self.total,
            ..Self::new(self.of, self.limits)
        };
    }

    /// How many of these bytes belong to the head, if it ends within them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.total >= self.limits.max_header_bytes {
                let limit = self.limits.max_header_bytes;
                return Err(ScanError::TooLarge { limit });
            }
            self.total += 1;
            self.check_start(byte)?;
            self.line = match (byte, self.line) {
                (b'\n', Line::StartCr) if self.started == 0 => Line::Start,
                // An empty line ends the head.
                (b'\n', Line::StartCr) => return Ok(Some(at + 1)),
                (b'\n', Line::InsideCr) => {
                    self.lines += 1;
                    if self.lines - 1 > self.limits.max_headers {
                        let limit = self.limits.max_headers;
                        return Err(ScanError::TooManyHeaders { limit });
                    }
                    Line::Start
                }
                (b'\n', _) | (_, Line::StartCr | Line::InsideCr) => {
                    return Err(ScanError::LineEnd);
                }
                (b'\r', Line::Start) => Line::StartCr,
                (b'\r', Line::Inside) => Line::InsideCr,
                (_, Line::Start | Line::Inside) => Line::Inside,
            };
        }
        Ok(None)
    }

    /// Looks at a byte as one of the first.
    fn check_start(&mut self, byte: u8) -> Result<(), ScanError> {
        let fits = match (self.of, self.started) {
            (Head::Answer, at) => match START.get(at) {
                None => return Ok(()),
                Some(&expected) => byte == expected,
            },
            (Head::Request, 0) if matches!(byte, b'\r' | b'\n') => return Ok(()),
            (Head::Request, 0) => byte.is_ascii_uppercase(),
            (Head::Request, _) => return Ok(()),
        };
        self.started += 1;
        match fits {
            true => Ok(()),
            false => Err(ScanError::NotHttp),
        }
    }
}

/// The headers that a parser found, in their order.
pub(super) fn header_map(lines: &[httparse::Header<'_>]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|e| e.to_string())?;
        let value = HeaderValue::from_bytes(line.value).map_err(|e| e.to_string())?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// What the headers say of the message's body.
pub(super) fn body_length(
    headers: &HeaderMap,
    http_1_1: bool,
) -> Result<Option<BodyLength>, &'static str> {
    let lines = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    BodyLength::of(lines, http_1_1)
}
