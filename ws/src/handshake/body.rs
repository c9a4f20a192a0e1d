//! The body of a request (RFC 9112 sections 6 and 7), strictly: what two parsers could cut differently is refused.

use super::bad_request::BadRequest;
use crate::fields::is_token;
use hvloop_event::http::BodyLength;

/// The longest line before a chunk, in bytes, extensions included.
const MAX_CHUNK_LINE: usize = 256;
/// The most bytes of lines that carry no body: before chunks, beyond what those of a usual size have, and of
/// trailers.
const MAX_OVERHEAD: usize = 16 * 1024;
/// What a chunk has, whatever its size: a line, and the line's end behind it.
const USUAL_OVERHEAD: usize = 16;

/// Gathers one body, in pieces as they come.
pub(crate) struct BodyReader {
    framing: Framing,
    body: Vec<u8>,
    limit: usize,
    overhead: usize,
}

enum Framing {
    /// So many bytes are to come.
    Length(usize),
    /// The line that says how long the next chunk is, as far as it is there.
    ChunkLine(Vec<u8>),
    /// So many bytes of a chunk are to come.
    Chunk(usize),
    /// How much of the line's end behind a chunk is there.
    ChunkEnd(usize),
    /// A line behind the last chunk, as far as it is there.
    Trailer(Vec<u8>),
    Done,
}

impl BodyReader {
    /// A body of that length, of `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// It is longer.
    pub(crate) fn new(length: BodyLength, limit: usize) -> Result<Self, BadRequest> {
        let too_large = BadRequest::BodyTooLarge { limit };
        let framing = match length {
            BodyLength::Known(length) => match usize::try_from(length) {
                Ok(length) if length <= limit => Framing::Length(length),
                _ => return Err(too_large),
            },
            _ => Framing::ChunkLine(Vec::new()),
        };
        Ok(Self {
            framing,
            body: Vec::new(),
            limit,
            overhead: 0,
        })
    }

    /// Takes what came next. `Some`: the body is whole, and so many of these bytes belong to it.
    ///
    /// # Errors
    ///
    /// It is too long, or not framed as it has to be; the reader is of no use then.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadRequest> {
        let mut rest = bytes;
        loop {
            self.step(&mut rest)?;
            if matches!(self.framing, Framing::Done) {
                return Ok(Some(bytes.len() - rest.len()));
            }
            if rest.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Bytes gathered so far.
    pub(crate) fn gathered(&self) -> usize {
        self.body.len()
    }

    /// The body.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.body
    }

    fn step(&mut self, rest: &mut &[u8]) -> Result<(), BadRequest> {
        match &mut self.framing {
            Framing::Done => {}
            Framing::Length(left) => {
                *left -= take(&mut self.body, rest, *left);
                if *left == 0 {
                    self.framing = Framing::Done;
                }
            }
            Framing::Chunk(left) => {
                *left -= take(&mut self.body, rest, *left);
                if *left == 0 {
                    self.framing = Framing::ChunkEnd(0);
                }
            }
            Framing::ChunkEnd(seen) => {
                if let Some((byte, behind)) = rest.split_first() {
                    if *byte != b"\r\n"[*seen] {
                        return Err(BadRequest::Chunk("no line end behind a chunk"));
                    }
                    *rest = behind;
                    *seen += 1;
                    if *seen == 2 {
                        self.framing = Framing::ChunkLine(Vec::new());
                    }
                }
            }
            Framing::ChunkLine(line) => {
                if take_line(line, rest, MAX_CHUNK_LINE)? {
                    let line = std::mem::take(line);
                    self.begin_chunk(&line)?;
                }
            }
            Framing::Trailer(line) => {
                let room = MAX_OVERHEAD.saturating_sub(self.overhead);
                if take_line(line, rest, room)? {
                    self.overhead += line.len();
                    let line = std::mem::take(line);
                    if line == b"\r\n" {
                        self.framing = Framing::Done;
                    } else if !is_field(&line) {
                        return Err(BadRequest::Chunk("a trailer that is none"));
                    }
                }
            }
        }
        Ok(())
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), BadRequest> {
        // RFC 9112 section 7.1: the size comes first, with nothing before it.
        let begins = line.first().is_some_and(u8::is_ascii_hexdigit);
        let parsed = httparse::parse_chunk_size(line);
        let size = match parsed {
            Ok(httparse::Status::Complete((_, size))) if begins => size,
            _ => return Err(BadRequest::Chunk("a chunk without its size")),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > self.limit - self.body.len() {
            return Err(BadRequest::BodyTooLarge { limit: self.limit });
        }
        // Many small chunks with long lines would be much work for little.
        let usual = USUAL_OVERHEAD.saturating_add(size.saturating_mul(2));
        self.overhead = (self.overhead + line.len()).saturating_sub(usual);
        if self.overhead > MAX_OVERHEAD {
            return Err(BadRequest::Chunk("long lines before small chunks"));
        }
        self.framing = match size {
            0 => Framing::Trailer(Vec::new()),
            size => Framing::Chunk(size),
        };
        Ok(())
    }
}

/// Takes at most `limit` of these bytes; how many.
fn take(body: &mut Vec<u8>, rest: &mut &[u8], limit: usize) -> usize {
    let (taken, behind) = rest.split_at(limit.min(rest.len()));
    body.extend_from_slice(taken);
    *rest = behind;
    taken.len()
}

/// Takes bytes up to the end of the line. Whether it is whole.
fn take_line(line: &mut Vec<u8>, rest: &mut &[u8], limit: usize) -> Result<bool, BadRequest> {
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (taken, behind) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
    if line.len() + taken.len() > limit {
        return Err(BadRequest::Chunk("a line that is too long"));
    }
    line.extend_from_slice(taken);
    *rest = behind;
    if end.is_none() {
        return Ok(false);
    }
    // A carriage return or a line feed alone: what one parser takes for a line's end and another does not.
    let text = line.strip_suffix(b"\r\n");
    match text.is_some_and(|text| !text.contains(&b'\r')) {
        true => Ok(true),
        false => Err(BadRequest::Chunk("a line that does not end in CR and LF")),
    }
}

/// Whether a line is a header's.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next();
    line.contains(&b':') && name.is_some_and(is_token)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
