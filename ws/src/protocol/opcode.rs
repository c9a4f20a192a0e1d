//! The opcodes of RFC 6455 section 5.2.

use super::ProtocolError;

/// What a frame is. The reserved opcodes are none of these: a peer that uses one is refused
/// ([`ProtocolError::ReservedOpcode`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpCode {
    /// A further fragment of the message begun before.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of what the sender says.
    Close = 0x8,
    /// A question for life.
    Ping = 0x9,
    /// The answer to a Ping, or an unasked sign of life.
    Pong = 0xA,
}

impl OpCode {
    /// Whether it is a Close, a Ping or a Pong, which may stand between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// From the four bits of a header.
    pub(super) fn from_wire(bits: u8) -> Result<Self, ProtocolError> {
        match bits {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xA => Ok(Self::Pong),
            reserved => Err(ProtocolError::ReservedOpcode(reserved)),
        }
    }
}
