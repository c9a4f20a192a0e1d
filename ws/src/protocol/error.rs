//! What a peer may do wrong, and the close code that answers it.

/// The peer broke the protocol, or a limit of ours. The connection is to be failed: a Close with
/// [`close_code`](Self::close_code), then no more reading (RFC 6455 section 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A server masked a frame (section 5.1).
    #[error("a frame of the server is masked")]
    MaskedFrame,
    /// A client did not mask a frame (section 5.1).
    #[error("a frame of the client is not masked")]
    UnmaskedFrame,
    /// A reserved bit is set that no extension defines (section 5.2).
    #[error("a reserved bit is set")]
    ReservedBits,
    /// An opcode that is reserved (section 5.2).
    #[error("opcode {0:#x} is reserved")]
    ReservedOpcode(u8),
    /// A length with its highest bit set (section 5.2).
    #[error("the highest bit of a frame's length is set")]
    LengthOverflow,
    /// A length in more bytes than it needs (section 5.2).
    #[error("a frame's length is in more bytes than it needs")]
    NonMinimalLength,
    /// A Ping, Pong or Close in fragments (section 5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A Ping, Pong or Close of more than 125 bytes (section 5.5).
    #[error("a control frame of {size} bytes is over the 125 bytes allowed")]
    ControlTooLong {
        /// What was announced, in bytes.
        size: u64,
    },
    /// A continuation without a message to go on with (section 5.4).
    #[error("a continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// A new message inside a fragmented one (section 5.4).
    #[error("a new message began inside a fragmented message")]
    ExpectedContinuation,
    /// A text message is not UTF-8 (section 8.1).
    #[error("a text message is not UTF-8")]
    InvalidUtf8,
    /// A Close with one byte of payload (section 5.5.1).
    #[error("a Close frame has one byte of payload")]
    CloseTooShort,
    /// A Close with a code that must not be sent (section 7.4).
    #[error("close code {0} must not be sent")]
    BadCloseCode(u16),
    /// The reason of a Close is not UTF-8 (section 5.5.1).
    #[error("the reason of a Close frame is not UTF-8")]
    InvalidCloseReason,
    /// A compressed message is no DEFLATE (RFC 7692 section 7.2.2).
    #[error("a compressed message is no DEFLATE")]
    InvalidDeflate,
    /// A frame over [`Limits::max_frame`](super::Limits::max_frame).
    #[error("a frame of {size} bytes is over the limit of {limit} bytes")]
    FrameTooBig {
        /// The limit, in bytes.
        limit: usize,
        /// What was announced, in bytes.
        size: u64,
    },
    /// A message over [`Limits::max_message`](super::Limits::max_message).
    #[error("a message of {size} bytes or more is over the limit of {limit} bytes")]
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
