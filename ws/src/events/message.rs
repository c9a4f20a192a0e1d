//! A message.

use crate::protocol::OpCode;

/// A message, borrowed for the time of the callback: one of two kinds, of which there will be no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message (opcode 1), valid UTF-8.
    Text(&'a str),
    /// A binary message (opcode 2).
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload's bytes, of either kind.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn opcode(&self) -> OpCode {
        match self {
            Self::Text(_) => OpCode::Text,
            Self::Binary(_) => OpCode::Binary,
        }
    }
}
