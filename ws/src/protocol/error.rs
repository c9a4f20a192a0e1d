//! What a peer may do wrong, and the close code that answers it.

use std::error::Error;
use std::fmt;

/// The peer broke the protocol, or a limit of ours. The connection is to be failed: a Close with
/// [`close_code`](Self::close_code), then no more reading (RFC 6455 section 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A server masked a frame (section 5.1).
    MaskedFrame,
    /// A client did not mask a frame (section 5.1).
    UnmaskedFrame,
    /// A reserved bit is set that no extension defines (section 5.2).
    ReservedBits,
    /// An opcode that is reserved (section 5.2).
    ReservedOpcode(u8),
    /// A length with its highest bit set (section 5.2).
    LengthOverflow,
    /// A length in more bytes than it needs (section 5.2).
    NonMinimalLength,
    /// A Ping, Pong or Close in fragments (section 5.5).
    FragmentedControl,
    /// A Ping, Pong or Close of more than 125 bytes (section 5.5).
    ControlTooLong {
        /// What was announced, in bytes.
        size: u64,
    },
    /// A continuation without a message to go on with (section 5.4).
    UnexpectedContinuation,
    /// A new message inside a fragmented one (section 5.4).
    ExpectedContinuation,
    /// A text message is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A Close with one byte of payload (section 5.5.1).
    CloseTooShort,
    /// A Close with a code that must not be sent (section 7.4).
    BadCloseCode(u16),
    /// The reason of a Close is not UTF-8 (section 5.5.1).
    InvalidCloseReason,
    /// A compressed message is no DEFLATE (RFC 7692 section 7.2.2).
    InvalidDeflate,
    /// A frame over [`Limits::max_frame`](super::Limits::max_frame).
    FrameTooBig {
        /// The limit, in bytes.
        limit: usize,
        /// What was announced, in bytes.
        size: u64,
    },
    /// A message over [`Limits::max_message`](super::Limits::max_message).
    MessageTooBig {
        /// The limit, in bytes.
        limit: usize,
        /// The fragments so far and the one announced, in bytes; of a compressed message, what was
        /// inflated so far.
        size: u64,
    },
}

impl ProtocolError {
    /// The code for the Close that answers: 1002 protocol error, 1007 invalid data, 1009 too big
    /// (RFC 6455 section 7.4.1).
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::InvalidDeflate => 1007,
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaskedFrame => f.write_str("a frame of the server is masked"),
            Self::UnmaskedFrame => f.write_str("a frame of the client is not masked"),
            Self::ReservedBits => f.write_str("a reserved bit is set"),
            Self::ReservedOpcode(opcode) => write!(f, "opcode {opcode:#x} is reserved"),
            Self::LengthOverflow => f.write_str("the highest bit of a frame's length is set"),
            Self::NonMinimalLength => {
                f.write_str("a frame's length is in more bytes than it needs")
            }
            Self::FragmentedControl => f.write_str("a control frame is fragmented"),
            Self::ControlTooLong { size } => {
                write!(
                    f,
                    "a control frame of {size} bytes is over the 125 bytes allowed"
                )
            }
            Self::UnexpectedContinuation => {
                f.write_str("a continuation frame without a message to continue")
            }
            Self::ExpectedContinuation => {
                f.write_str("a new message began inside a fragmented message")
            }
            Self::InvalidUtf8 => f.write_str("a text message is not UTF-8"),
            Self::CloseTooShort => f.write_str("a Close frame has one byte of payload"),
            Self::BadCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::InvalidCloseReason => f.write_str("the reason of a Close frame is not UTF-8"),
            Self::InvalidDeflate => f.write_str("a compressed message is no DEFLATE"),
            Self::FrameTooBig { limit, size } => {
                write!(
                    f,
                    "a frame of {size} bytes is over the limit of {limit} bytes"
                )
            }
            Self::MessageTooBig { limit, size } => {
                write!(
                    f,
                    "a message of {size} bytes or more is over the limit of {limit} bytes"
                )
            }
        }
    }
}

impl Error for ProtocolError {}
