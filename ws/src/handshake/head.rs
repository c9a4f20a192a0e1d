//! Finds the end of an HTTP head in bytes that come in pieces, looking at each byte once.

use super::{HandshakeError, HandshakeLimits};

/// How the head of an answer must begin: with anything else the peer does not speak HTTP/1, and
/// there is no point in waiting for the end.
const START: &[u8] = b"HTTP/1.";

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of it is seen.
    Start,
    /// A carriage return is all that is seen.
    StartCr,
    /// It is not empty.
    Inside,
}

/// The scan of one answer, interim answers (1xx) included.
#[derive(Debug)]
pub(super) struct HeadScan {
    limits: HandshakeLimits,
    /// Bytes of heads so far, of interim answers too.
    total: usize,
    /// Bytes of this head so far, counted up to the length of `START`.
    started: usize,
    /// Lines ended in this head, the status line included.
    lines: usize,
    line: Line,
}

impl HeadScan {
    /// A scan that begins with the first byte of the answer.
    pub(super) fn new(limits: HandshakeLimits) -> Self {
        Self {
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
            ..Self::new(self.limits)
        };
    }

    /// How many of these bytes belong to the head, if it ends within them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.total >= self.limits.max_header_bytes {
                let limit = self.limits.max_header_bytes;
                return Err(HandshakeError::HeadersTooLarge { limit });
            }
            self.total += 1;
            if let Some(&expected) = START.get(self.started) {
                if byte != expected {
                    let what = "it does not begin with HTTP/1.".to_owned();
                    return Err(HandshakeError::Malformed(what));
                }
                self.started += 1;
            }
            self.line = match (byte, self.line) {
                // An empty line ends the head. A line feed alone ends a line too (RFC 9112
                // section 2.2), as the parser has it.
                (b'\n', Line::Start | Line::StartCr) => return Ok(Some(at + 1)),
                (b'\n', Line::Inside) => {
                    self.lines += 1;
                    if self.lines - 1 > self.limits.max_headers {
                        let limit = self.limits.max_headers;
                        return Err(HandshakeError::TooManyHeaders { limit });
                    }
                    Line::Start
                }
                (b'\r', Line::Start) => Line::StartCr,
                _ => Line::Inside,
            };
        }
        Ok(None)
    }
}
