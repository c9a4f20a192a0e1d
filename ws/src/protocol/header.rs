//! Frame headers: gathered over as many reads as they take, and checked as far as one frame can be
//! judged by itself (RFC 6455 sections 5.1, 5.2 and 5.5).

use super::{Input, MAX_CONTROL_PAYLOAD, OpCode, ProtocolError, Role};
use std::io::Cursor;
use tungstenite::error::{Error, ProtocolError as HeaderError};
use tungstenite::protocol::frame::FrameHeader;

/// The longest header: 2 bytes, a length of 8, a mask of 4.
const MAX_HEADER: usize = 14;

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
    fn allow(self, header: &FrameHeader, opcode: OpCode) -> bool {
        let first_of_message = matches!(opcode, OpCode::Text | OpCode::Binary);
        !header.rsv2 && !header.rsv3 && (!header.rsv1 || (self.rsv1 && first_of_message))
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
                Some((header, len, size)) => {
                    input.take(size);
                    check(role, negotiated, &header, len, size).map(Some)
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
            Some((header, len, size)) => {
                self.partial_len = 0;
                // `held` bytes did not make a header, so the size is above it.
                input.take(size.saturating_sub(held));
                check(role, negotiated, &header, len, size).map(Some)
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

/// A header at the start of `bytes`, the payload's length and how many bytes the header takes.
fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, ProtocolError> {
    let mut cursor = Cursor::new(bytes);
    match FrameHeader::parse(&mut cursor) {
        Ok(found) => Ok(found.map(|(header, len)| {
            let size = cursor.position() as usize; // at most MAX_HEADER
            (header, len, size)
        })),
        Err(Error::Protocol(HeaderError::InvalidOpcode(opcode))) => {
            Err(ProtocolError::ReservedOpcode(opcode))
        }
        // The parser knows no other error on bytes in memory; should it learn one, then what it
        // refuses is refused here too.
        Err(_) => Err(ProtocolError::ReservedOpcode(
            bytes.first().map_or(0, |b| b & 0x0F),
        )),
    }
}

/// All that one header, seen alone, can be wrong in.
fn check(
    role: Role,
    negotiated: NegotiatedBits,
    header: &FrameHeader,
    len: u64,
    size: usize,
) -> Result<Header, ProtocolError> {
    let opcode = OpCode::from_codec(header.opcode)?;
    if !negotiated.allow(header, opcode) {
        return Err(ProtocolError::ReservedBits);
    }
    match (role, header.mask) {
        (Role::Client, Some(_)) => return Err(ProtocolError::MaskedFrame),
        (Role::Server, None) => return Err(ProtocolError::UnmaskedFrame),
        _ => {}
    }
    if len >> 63 != 0 {
        return Err(ProtocolError::LengthOverflow);
    }
    if size != header.len(len) {
        return Err(ProtocolError::NonMinimalLength);
    }
    if opcode.is_control() {
        if !header.is_final {
            return Err(ProtocolError::FragmentedControl);
        }
        if len > MAX_CONTROL_PAYLOAD as u64 {
            return Err(ProtocolError::ControlTooLong { size: len });
        }
    }
    Ok(Header {
        opcode,
        fin: header.is_final,
        compressed: header.rsv1,
        mask: header.mask,
        len,
    })
}
