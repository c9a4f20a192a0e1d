//! The WebSocket protocol after the handshake, without any I/O (RFC 6455 sections 5 to 7).
//!
//! [`Reader`] turns the bytes of a peer into [`Event`]s; [`encode_frame`] and [`encode_close`] turn
//! what is to be sent into bytes. Neither knows a socket, a clock or a thread; both serve either
//! [`Role`].
//!
//! ```
//! use hvloop_ws::protocol::{Event, Input, Limits, OpCode, Reader, Role, encode_frame};
//!
//! let mut wire = Vec::new();
//! encode_frame(&mut wire, OpCode::Text, true, b"hello", None); // a server's frame
//!
//! let mut reader = Reader::new(Role::Client, Limits::default());
//! let mut input = Input::new(&mut wire);
//! assert_eq!(reader.next(&mut input)?, Some(Event::Text("hello")));
//! assert_eq!(reader.next(&mut input)?, None); // everything is read
//! # Ok::<(), hvloop_ws::protocol::ProtocolError>(())
//! ```

mod close;
mod encoder;
mod error;
mod header;
mod input;
mod mask;
mod opcode;
mod reader;
mod utf8;

pub(crate) use self::close::outgoing_close_code;
pub use self::close::{MAX_CLOSE_REASON, is_receivable_close_code, is_sendable_close_code};
pub use self::encoder::{encode_close, encode_compressed, encode_frame, frame_len};
pub(crate) use self::encoder::{encode_message, message_head, message_len};
pub use self::error::ProtocolError;
pub use self::input::Input;
pub(crate) use self::mask::append_masked;
pub use self::mask::apply_mask;
pub use self::opcode::OpCode;
pub(crate) use self::reader::{Buffers, Found};
pub use self::reader::{Event, Reader};

/// The longest payload of a Ping, Pong or Close, in bytes (RFC 6455 section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// Which side of the connection we are. It decides who masks: a client does, a server must not
/// (RFC 6455 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We opened the connection: frames of the peer must not be masked.
    Client,
    /// We accepted the connection: frames of the peer must be masked.
    Server,
}

/// How much a peer may send at once, in bytes of payload. Checked as soon as a header announces a
/// length, before anything is allocated for it.
///
/// ```
/// use hvloop_ws::protocol::Limits;
///
/// let limits = Limits::new().max_message(1 << 20);
/// assert_eq!(limits.max_frame, 16 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Limits {
    /// The longest payload of one data frame. Default 16 MiB.
    pub max_frame: usize,
    /// The longest message, over all its fragments. Default 64 MiB.
    pub max_message: usize,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_frame: 16 << 20,
            max_message: 64 << 20,
        }
    }

    /// Sets the longest payload of one data frame.
    pub const fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Sets the longest message.
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
