//! Where a head ends, in bytes that come in pieces.

/// Whose head is scanned. With anything else at its beginning the peer does not speak HTTP/1, and
/// there is no point in waiting for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadOf {
    /// A server's answer: it begins with its version.
    Answer,
    /// A client's request: it begins with a method, maybe behind empty lines (RFC 9112 section 2.2).
    Request,
}

/// How an answer begins.
const START: &[u8] = b"HTTP/1.";

/// What ends a scan that found no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// It does not begin as HTTP/1 does.
    #[error("it does not begin as HTTP/1 does")]
    NotHttp,
    /// A carriage return or a line feed alone: what one side takes for a line's end and another for
    /// a part of it (RFC 9112 section 2.2).
    #[error("a line does not end in CR and LF")]
    LineEnd,
    /// The heads are longer than `limit` bytes, interim answers included.
    #[error("a head is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A head has more than `limit` headers.
    #[error("a head has more headers than the limit of {limit}")]
    TooManyHeaders {
        /// The limit.
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

/// The scan of one request, or of one answer, interim answers (1xx) included. Each byte is looked at once.
#[derive(Debug)]
pub struct HeadScan {
    of: HeadOf,
    max_bytes: usize,
    max_headers: usize,
    lone_line_feeds: bool,
    /// Bytes of heads so far, of interim answers too.
    total: usize,
    /// Bytes of this head so far, counted as far as its beginning is checked.
    started: usize,
    /// Lines ended in this head, the status line included.
    lines: usize,
    line: Line,
}

impl HeadScan {
    /// A scan that begins with the first byte, of heads with so many bytes together and so many headers
    /// each.
    pub fn new(of: HeadOf, max_bytes: usize, max_headers: usize) -> Self {
        Self {
            of,
            max_bytes,
            max_headers,
            lone_line_feeds: false,
            total: 0,
            started: 0,
            lines: 0,
            line: Line::Start,
        }
    }

    /// Takes a line feed alone for the end of a line, too, as RFC 9112 section 2.2 allows.
    pub fn lone_line_feeds(mut self) -> Self {
        self.lone_line_feeds = true;
        self
    }

    /// The head that ended was an interim answer: another one follows.
    pub fn restart(&mut self) {
        *self = Self {
            total: self.total,
            lone_line_feeds: self.lone_line_feeds,
            ..Self::new(self.of, self.max_bytes, self.max_headers)
        };
    }

    /// How many of these bytes belong to the head, if it ends within them.
    ///
    /// # Errors
    ///
    /// See [`ScanError`]; the scan is over.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.total >= self.max_bytes {
                let limit = self.max_bytes;
                return Err(ScanError::TooLarge { limit });
            }
            self.total += 1;
            self.check_start(byte)?;
            let line = match (byte, self.line) {
                (b'\n', Line::Start) if self.lone_line_feeds => Line::StartCr,
                (b'\n', Line::Inside) if self.lone_line_feeds => Line::InsideCr,
                (_, line) => line,
            };
            self.line = match (byte, line) {
                (b'\n', Line::StartCr) if self.started == 0 => Line::Start,
                // An empty line ends the head.
                (b'\n', Line::StartCr) => return Ok(Some(at + 1)),
                (b'\n', Line::InsideCr) => {
                    self.lines += 1;
                    if self.lines - 1 > self.max_headers {
                        let limit = self.max_headers;
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
            (HeadOf::Answer, at) => match START.get(at) {
                None => return Ok(()),
                Some(&expected) => byte == expected,
            },
            (HeadOf::Request, 0) if matches!(byte, b'\r' | b'\n') => return Ok(()),
            (HeadOf::Request, 0) => byte.is_ascii_uppercase(),
            (HeadOf::Request, _) => return Ok(()),
        };
        self.started += 1;
        match fits {
            true => Ok(()),
            false => Err(ScanError::NotHttp),
        }
    }
}
