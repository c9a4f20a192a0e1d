//! How long a body is (RFC 9112 section 6), and its first bytes (section 7).

/// How long a body is, as a head says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyLength {
    /// So many bytes: `Content-Length`.
    Known(u64),
    /// `Transfer-Encoding`, which ends in `chunked`.
    Chunked,
}

impl BodyLength {
    /// What the headers of a message say, given as names (in any case) and values; `None`: nothing. A
    /// request has no body then, and an answer has one up to the end of the stream.
    ///
    /// # Errors
    ///
    /// They contradict each other or themselves (RFC 9112 section 6.3), so that the two sides could
    /// take different bytes for the body; the text says how.
    pub fn of<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        http_1_1: bool,
    ) -> Result<Option<Self>, &'static str> {
        let (mut known, mut last_coding) = (None, None);
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("content-length") {
                let length = digits(value).ok_or("a Content-Length that is no number")?;
                if known.replace(length).is_some() {
                    return Err("more than one Content-Length");
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                last_coding.get_or_insert(&b""[..]);
                let codings = value.split(|byte| *byte == b',');
                for coding in codings.map(<[u8]>::trim_ascii).filter(|c| !c.is_empty()) {
                    if last_coding.is_some_and(is_chunked) {
                        return Err("a Transfer-Encoding behind chunked");
                    }
                    last_coding = Some(coding);
                }
            }
        }
        match (known, last_coding) {
            (known, None) => Ok(known.map(Self::Known)),
            (Some(_), Some(_)) => Err("both Content-Length and Transfer-Encoding"),
            (None, Some(_)) if !http_1_1 => Err("a Transfer-Encoding in HTTP/1.0"),
            (None, Some(coding)) if is_chunked(coding) => Ok(Some(Self::Chunked)),
            (None, Some(_)) => Err("a Transfer-Encoding that does not end in chunked"),
        }
    }
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

/// Digits and nothing else; a length over `u64` is none.
fn digits(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let proper = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| proper)?;
    text.parse().ok()
}

/// The beginning of an answer's body, of which [`BodyPrefix::KEPT`] bytes are kept: what a refusal
/// says in words. Takes the body in pieces, however they are cut.
#[derive(Clone, PartialEq, Eq)]
pub struct BodyPrefix {
    framing: Framing,
    kept: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Framing {
    /// So many bytes are to come.
    Length(u64),
    ToEnd,
    /// The line that says how long the next chunk is.
    ChunkLine(Vec<u8>),
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// So many bytes of the line end behind a chunk are to come.
    ChunkEnd(u8),
    /// Nothing more is looked at.
    Done,
}

impl BodyPrefix {
    /// How much is kept, in bytes.
    pub const KEPT: usize = 1024;
    /// The longest line before a chunk, in bytes, extensions included.
    const MAX_CHUNK_LINE: usize = 256;

    /// The body of an answer with that status; `None`: it goes to the end of the stream.
    pub fn new(status: u16, length: Option<BodyLength>) -> Self {
        let framing = match (status, length) {
            // These have none (RFC 9110 section 6.4.1).
            (100..=199 | 204 | 304, _) => Framing::Done,
            (_, None) => Framing::ToEnd,
            (_, Some(BodyLength::Known(0))) => Framing::Done,
            (_, Some(BodyLength::Known(length))) => Framing::Length(length),
            (_, Some(BodyLength::Chunked)) => Framing::ChunkLine(Vec::new()),
        };
        let kept = Vec::new();
        Self { framing, kept }
    }

    /// A body that cannot be told from what is behind it.
    pub fn nothing() -> Self {
        Self::new(204, None)
    }

    /// Takes what came next. `true`: the body is whole, or as much of it is there as is kept.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while !self.is_done() && !bytes.is_empty() {
            self.step(&mut bytes);
        }
        self.is_done()
    }

    /// Whether nothing more is awaited.
    pub fn is_done(&self) -> bool {
        self.framing == Framing::Done || self.kept.len() >= Self::KEPT
    }

    /// What is kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    fn step(&mut self, bytes: &mut &[u8]) {
        let next = match &mut self.framing {
            Framing::Done => return,
            Framing::ToEnd => {
                take(&mut self.kept, bytes, u64::MAX);
                return;
            }
            Framing::Length(left) => {
                *left -= take(&mut self.kept, bytes, *left);
                (*left == 0).then_some(Framing::Done)
            }
            Framing::Chunk(left) => {
                *left -= take(&mut self.kept, bytes, *left);
                (*left == 0).then_some(Framing::ChunkEnd(2))
            }
            Framing::ChunkEnd(left) => {
                *bytes = &bytes[1..];
                *left -= 1;
                (*left == 0).then(|| Framing::ChunkLine(Vec::new()))
            }
            Framing::ChunkLine(line) => {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                line.push(byte);
                match byte {
                    b'\n' => match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, size))) if size > 0 => {
                            Some(Framing::Chunk(size))
                        }
                        _ => Some(Framing::Done), // the last one, or none
                    },
                    _ if line.len() >= Self::MAX_CHUNK_LINE => Some(Framing::Done),
                    _ => None,
                }
            }
        };
        if let Some(next) = next {
            self.framing = next;
        }
    }
}

/// Takes at most `limit` of these bytes, of which as many are kept as have room; how many it took.
fn take(kept: &mut Vec<u8>, bytes: &mut &[u8], limit: u64) -> u64 {
    let size = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let (taken, rest) = bytes.split_at(size);
    let room = BodyPrefix::KEPT - kept.len().min(BodyPrefix::KEPT);
    kept.extend_from_slice(&taken[..size.min(room)]);
    *bytes = rest;
    size as u64
}

debug_fields!(BodyPrefix, this: "kept" = this.kept.len(), "done" = this.is_done());

#[cfg(test)]
mod tests;
