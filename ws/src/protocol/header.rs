//! Frame headers: gathered over as many reads as they take, and checked as far as one frame can be
//! judged by itself (RFC 6455 sections 5.1, 5.2 and 5.5).

use super::{Input, MAX_CONTROL_PAYLOAD, OpCode, ProtocolError, Role};

/// The longest header: 2 bytes, a length of 8, a mask of 4.
pub(crate) const MAX_HEADER: usize = 14;
/// The bits of the first byte: FIN and RSV1 to RSV3.
pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
/// The bit of the second byte that says that there is a mask.
pub(super) const MASKED: u8 = 0x80;

/// A header that passed the checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// What the frame is.
    pub(super) opcode: OpCode,
    /// Whether it is the last frame of its message.
    pub(super) fin: bool,
    /// The message is compressed (RSV1).
    pub(super) compressed: bool,
    /// The payload's mask; there is one exactly if we are the server.
    pub(super) mask: Option<[u8; 4]>,
    /// The payload's length in bytes, not yet held against the limits.
    pub(super) len: u64,
}

/// The reserved bits that an extension gave a meaning to, in this connection.
///
/// permessage-deflate takes RSV1 on the first frame of a message (RFC 7692 section 6).
#[derive(Debug, Clone, Copy)]
pub(super) struct NegotiatedBits {
    rsv1: bool,
}

impl NegotiatedBits {
    /// No extension: every reserved bit must be 0.
    pub(super) const NONE: Self = Self { rsv1: false };
    /// permessage-deflate.
    pub(super) const DEFLATE: Self = Self { rsv1: true };

    /// Whether this header sets no bit but those negotiated, where they are.
    fn allow(self, first: u8, opcode: OpCode) -> bool {
        let first_of_message = matches!(opcode, OpCode::Text | OpCode::Binary);
        first & RSV2_RSV3 == 0 && (first & RSV1 == 0 || (self.rsv1 && first_of_message))
    }
}

/// Reads headers; holds the beginning of one that is cut by the end of a read.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    partial: [u8; MAX_HEADER],
    /// How many bytes of `partial` are there: less than a header between calls.
    partial_len: u8,
}

impl HeaderReader {
    /// The next header, or `None` when the input ends before it does: then all of it is taken.
    pub(super) fn next(
        &mut self,
        role: Role,
        negotiated: NegotiatedBits,
        input: &mut Input<'_>,
    ) -> Result<Option<Header>, ProtocolError> {
        let held = usize::from(self.partial_len);
        if held == 0 {
            return match parse(input.rest())? {
                Some(raw) => {
                    input.take(raw.size);
                    raw.check(role, negotiated).map(Some)
                }
                None => {
                    self.hold(input, input.remaining());
                    Ok(None)
                }
            };
        }
        // The header began in an earlier read: what is missing is moved to it, as far as it is
        // here, and what is too much stays in the input.
        let fill = input.remaining().min(MAX_HEADER - held);
        self.partial[held..held + fill].copy_from_slice(&input.rest()[..fill]);
        match parse(&self.partial[..held + fill])? {
            Some(raw) => {
                self.partial_len = 0;
                // `held` bytes did not make a header, so the size is above it.
                input.take(raw.size.saturating_sub(held));
                raw.check(role, negotiated).map(Some)
            }
            None => {
                input.take(fill);
                self.partial_len = (held + fill) as u8; // at most MAX_HEADER
                Ok(None)
            }
        }
    }

    /// Whether a header has begun, and is not whole.
    pub(super) fn is_inside(&self) -> bool {
        self.partial_len > 0
    }

    /// Keeps the first bytes of a header; `count` is less than the longest header.
    fn hold(&mut self, input: &mut Input<'_>, count: usize) {
        let range = input.take(count);
        self.partial[..count].copy_from_slice(input.get(range));
        self.partial_len = count as u8; // at most MAX_HEADER
    }
}

/// A header as it stands on the wire.
struct Raw {
    /// FIN, the reserved bits and the opcode.
    first: u8,
    opcode: OpCode,
    mask: Option<[u8; 4]>,
    len: u64,
    /// The least length that is written as this one is.
    least: u64,
    /// Bytes of the header.
    size: usize,
}

/// The header at the start of `bytes`, if it is whole. An opcode that is none is an error as soon as it is
/// there.
fn parse(bytes: &[u8]) -> Result<Option<Raw>, ProtocolError> {
    let &[first, second, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = OpCode::from_wire(first & 0x0F)?;
    let (len, least, rest) = match (second & !MASKED, rest) {
        (126, &[a, b, ref rest @ ..]) => (u16::from_be_bytes([a, b]).into(), 126, rest),
        (127, &[a, b, c, d, e, f, g, h, ref rest @ ..]) => {
            let len = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            (len, 1 << 16, rest)
        }
        (126 | 127, _) => return Ok(None),
        (short, rest) => (short.into(), 0, rest),
    };
    let (mask, rest) = match (second & MASKED, rest) {
        (0, rest) => (None, rest),
        (_, &[a, b, c, d, ref rest @ ..]) => (Some([a, b, c, d]), rest),
        _ => return Ok(None),
    };
    Ok(Some(Raw {
        first,
        opcode,
        mask,
        len,
        least,
        size: bytes.len() - rest.len(),
    }))
}

impl Raw {
    /// All that one header, seen alone, can be wrong in.
    fn check(self, role: Role, negotiated: NegotiatedBits) -> Result<Header, ProtocolError> {
        let Self {
            first,
            opcode,
            mask,
            len,
            ..
        } = self;
        if !negotiated.allow(first, opcode) {
            return Err(ProtocolError::ReservedBits);
        }
        match (role, mask) {
            (Role::Client, Some(_)) => return Err(ProtocolError::MaskedFrame),
            (Role::Server, None) => return Err(ProtocolError::UnmaskedFrame),
            _ => {}
        }
        if len >> 63 != 0 {
            return Err(ProtocolError::LengthOverflow);
        }
        if len < self.least {
            return Err(ProtocolError::NonMinimalLength);
        }
        let fin = first & FIN != 0;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if len > MAX_CONTROL_PAYLOAD as u64 {
                return Err(ProtocolError::ControlTooLong { size: len });
            }
        }
        Ok(Header {
            opcode,
            fin,
            compressed: first & RSV1 != 0,
            mask,
            len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use tungstenite::error::{Error, ProtocolError as HeaderError};
    use tungstenite::protocol::frame::FrameHeader;

    /// All first bytes, and lengths at the edges, cut everywhere: as another parser has them; but that an opcode
    /// that is none is found before the header is whole.
    #[test]
    fn headers_are_read_as_tungstenite_reads_them() {
        let tails: [&[u8]; 5] = [
            b"\0\0\0\0\0\0\0\0\x01\x02\x03\x04",
            b"\0\x7d\x11\x22\x33\x44\x55\x66\x77\x01\x02\x03",
            b"\0\x7e\0\0\0\0\xff\xff\x09\x08\x07\x06",
            b"\0\0\0\0\0\x01\0\0\x0a\x0b\x0c\x0d",
            b"\x80\0\0\0\0\0\0\0\xff\xff\xff\xff",
        ];
        let seconds = [0, 1, 125, 126, 127]
            .into_iter()
            .flat_map(|len| [len, len | MASKED]);
        for (first, second) in (0..=255).flat_map(|a| seconds.clone().map(move |b| (a, b))) {
            for tail in tails {
                for cut in [0, 1, 2, 5, 6, 8, 9, 12] {
                    let bytes = [&[first, second], &tail[..cut]].concat();
                    let mut cursor = Cursor::new(&bytes);
                    match (parse(&bytes), FrameHeader::parse(&mut cursor)) {
                        (Ok(None), Ok(None)) => {}
                        (Ok(Some(ours)), Ok(Some((theirs, len)))) => {
                            assert_eq!(ours.size as u64, cursor.position(), "{bytes:x?}");
                            assert_eq!((ours.len, ours.mask), (len, theirs.mask), "{bytes:x?}");
                            assert_eq!(ours.first & FIN != 0, theirs.is_final);
                            assert_eq!(ours.first & RSV1 != 0, theirs.rsv1);
                            assert_eq!(ours.first & RSV2_RSV3 != 0, theirs.rsv2 || theirs.rsv3);
                            assert_eq!(ours.opcode as u8, u8::from(theirs.opcode));
                            let is_minimal = theirs.len(len) == ours.size;
                            assert_eq!(ours.len >= ours.least, is_minimal, "{bytes:x?}");
                        }
                        (
                            Err(ProtocolError::ReservedOpcode(ours)),
                            Err(Error::Protocol(HeaderError::InvalidOpcode(theirs))),
                        ) => assert_eq!(ours, theirs),
                        (Err(ProtocolError::ReservedOpcode(ours)), Ok(None)) => {
                            assert_eq!(ours, first & 0x0F);
                        }
                        (Ok(Some(ours)), Ok(None)) => panic!("{bytes:x?}: {} bytes", ours.size),
                        (ours, theirs) => panic!("{bytes:x?}: {} {theirs:?}", ours.is_ok()),
                    }
                }
            }
        }
    }
}
