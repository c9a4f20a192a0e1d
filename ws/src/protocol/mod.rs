//! The WebSocket protocol after the handshake, without any I/O (RFC 6455 sections 5 to 7).
//!
//! [`Reader`] turns the bytes of a peer into [`Event`]s; [`encode_frame`] and [`encode_close`] turn
//! what is to be sent into bytes. Neither knows a socket, a clock or a thread; both serve either
//! [`Role`].
//!
//! ```
//! use hvloop_ws::protocol::{Event, Input, Limits, Reader, Role, encode_frame, opcode};
//!
//! let mut wire = Vec::new();
//! encode_frame(&mut wire, opcode::TEXT, true, b"hello", None); // a server's frame
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
mod reader;
mod utf8;

pub(crate) use close::outgoing_close_code;
pub use close::{MAX_CLOSE_REASON, is_receivable_close_code, is_sendable_close_code};
pub use encoder::{encode_close, encode_compressed, encode_frame, frame_len};
pub(crate) use encoder::{encode_message, message_len};
pub use error::ProtocolError;
pub use input::Input;
pub use mask::apply_mask;
pub(crate) use reader::Found;
pub use reader::{Event, Reader};
pub use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The longest payload of a Ping, Pong or Close, in bytes (RFC 6455 section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The opcodes of RFC 6455 section 5.2 that are not reserved.
pub mod opcode {
    use super::{Control, Data, OpCode};

    /// A further fragment of the message begun before (0x0).
    pub const CONTINUATION: OpCode = OpCode::Data(Data::Continue);
    /// A text message, or its first fragment (0x1).
    pub const TEXT: OpCode = OpCode::Data(Data::Text);
    /// A binary message, or its first fragment (0x2).
    pub const BINARY: OpCode = OpCode::Data(Data::Binary);
    /// The end of what the sender says (0x8).
    pub const CLOSE: OpCode = OpCode::Control(Control::Close);
    /// A question for life (0x9).
    pub const PING: OpCode = OpCode::Control(Control::Ping);
    /// The answer to a Ping, or an unasked sign of life (0xA).
    pub const PONG: OpCode = OpCode::Control(Control::Pong);
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest payload of one data frame. Default 16 MiB.
    pub max_frame: usize,
    /// The longest message, over all its fragments. Default 64 MiB.
    pub max_message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: 16 << 20,
            max_message: 64 << 20,
        }
    }
}
