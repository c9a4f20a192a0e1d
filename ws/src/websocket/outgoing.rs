//! What is sent as one.

use super::error::PingError;
use crate::events::Message;
use crate::protocol::{MAX_CONTROL_PAYLOAD, OpCode, Role, message_len};
use std::num::NonZeroUsize;

/// A control frame, or a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(super) opcode: OpCode,
    pub(super) payload: &'a [u8],
    /// The longest payload of a frame; `None`: a message is one frame.
    pub(super) fragment: Option<NonZeroUsize>,
}

impl<'a> Outgoing<'a> {
    /// A Ping of the user's.
    pub(crate) fn ping(payload: &'a [u8]) -> Result<Self, PingError> {
        match payload.len() {
            0..=MAX_CONTROL_PAYLOAD => Ok(Self::frame(OpCode::Ping, payload)),
            size => Err(PingError::TooLong { size }),
        }
    }

    /// One frame.
    pub(super) fn frame(opcode: OpCode, payload: &'a [u8]) -> Self {
        Self {
            opcode,
            payload,
            fragment: None,
        }
    }

    /// A message, in frames of at most `fragment` bytes of payload; 0: as one frame.
    pub(crate) fn fragmented(message: Message<'a>, fragment: usize) -> Self {
        Self {
            opcode: message.opcode(),
            payload: message.as_bytes(),
            fragment: NonZeroUsize::new(fragment),
        }
    }

    /// The same with a copy of its payload, or another one.
    pub(super) fn with<'b>(&self, payload: &'b [u8]) -> Outgoing<'b> {
        Outgoing { payload, ..*self }
    }

    /// How many bytes of the send queue it takes, at most.
    pub(super) fn queue_size(&self, role: Role) -> usize {
        message_len(self.payload.len(), self.fragment, role == Role::Client)
    }
}
