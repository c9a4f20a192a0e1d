//! Finds the end of an HTTP head in bytes that come in pieces, looking at each byte once.

use super::HandshakeLimits;

/// Whose head is scanned. With anything else at its beginning the peer does not speak HTTP/1, and
/// there is no point in waiting for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A server's answer: it begins with its version.
    Answer,
    /// A client's request: it begins with a method, maybe behind empty lines (RFC 9112 section 2.2).
    Request,
}

/// How an answer begins.
const START: &[u8] = b"HTTP/1.";

/// What ends a scan that found no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanError {
    NotHttp,
    TooLarge { limit: usize },
    TooManyHeaders { limit: usize },
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
                // An empty line ends the head. A line feed alone ends a line too (RFC 9112
                // section 2.2), as the parser has it.
                (b'\n', Line::Start | Line::StartCr) if self.started == 0 => Line::Start,
                (b'\n', Line::Start | Line::StartCr) => return Ok(Some(at + 1)),
                (b'\n', Line::Inside) => {
                    self.lines += 1;
                    if self.lines - 1 > self.limits.max_headers {
                        let limit = self.limits.max_headers;
                        return Err(ScanError::TooManyHeaders { limit });
                    }
                    Line::Start
                }
                (b'\r', Line::Start) => Line::StartCr,
                _ => Line::Inside,
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
