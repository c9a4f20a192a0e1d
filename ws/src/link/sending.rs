//! Messages and control frames on their way out.

use super::{Link, Stage};
use crate::event::Message;
use crate::mutant::mutant;
use crate::protocol::{
    Control, Data, OpCode, Role, encode_close, encode_frame, encode_message, message_len,
};
use hvloop_event::conn::Conn;
use hvloop_event::log;
use hvloop_event::{LocalLoop, SendError};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

/// What is to be sent as one: a control frame, or a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    opcode: OpCode,
    payload: &'a [u8],
    /// The longest payload of a frame; `None`: a message is one frame.
    fragment: Option<NonZeroUsize>,
}

impl<'a> Outgoing<'a> {
    /// One frame.
    pub(crate) fn frame(opcode: OpCode, payload: &'a [u8]) -> Self {
        Self {
            opcode,
            payload,
            fragment: None,
        }
    }

    /// A message, in frames of at most `fragment` bytes of payload; 0: as one frame.
    pub(crate) fn fragmented(message: Message<'a>, fragment: usize) -> Self {
        let kind = match message {
            Message::Text(_) => Data::Text,
            Message::Binary(_) => Data::Binary,
        };
        Self {
            opcode: OpCode::Data(kind),
            payload: message.as_bytes(),
            fragment: NonZeroUsize::new(fragment),
        }
    }

    /// The same with a copy of its payload, or another one.
    pub(super) fn with<'b>(&self, payload: &'b [u8]) -> Outgoing<'b> {
        Outgoing { payload, ..*self }
    }

    /// Whether it is a message.
    pub(super) fn is_data(&self) -> bool {
        matches!(self.opcode, OpCode::Data(_))
    }

    pub(super) fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How many bytes of the send queue it takes, at most.
    pub(super) fn queue_size(&self, role: Role) -> usize {
        message_len(self.payload.len(), self.fragment, role == Role::Client)
    }
}

impl Link {
    /// The mask of a frame to send: a client's is fresh and unpredictable (RFC 6455 section 5.3).
    pub(super) fn mask(&self, local: &LocalLoop) -> Option<[u8; 4]> {
        match self.role {
            Role::Client if mutant!("mask_of_sixteen_bits") => {
                let half = (local.random_u32() >> 16) * 0x1_0001;
                Some(half.to_ne_bytes())
            }
            Role::Client => Some(local.random_u32().to_ne_bytes()),
            Role::Server => None,
        }
    }

    pub(super) fn open_conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        match self.stage.get() {
            Stage::Open => self.conn(local),
            _ => None,
        }
    }

    /// Queues a frame or a message, on the loop's thread: whole, or not at all.
    pub(crate) fn send(
        self: &Rc<Self>,
        local: &LocalLoop,
        message: Outgoing<'_>,
    ) -> Result<(), SendError> {
        let conn = self.open_conn(local).ok_or(SendError::NotOpen)?;
        let size = message.queue_size(self.role);
        let sent = match self.compresses(&message) {
            false => conn.send_with(size, |out| self.encode(local, out, &message, false)),
            // Room first: a message that was compressed has to be sent.
            true => {
                let budget = conn.budget().ok_or(SendError::NotOpen)?;
                let reserved = budget.reserve(size);
                reserved.and_then(|()| self.queue_reserved(&conn, size, &message))
            }
        };
        sent.inspect_err(|e| self.refused(local, *e))
    }

    /// Queues what another thread took room for. `false`: the connection is not open, and the room is
    /// the caller's to give back.
    pub(crate) fn send_reserved(self: &Rc<Self>, local: &LocalLoop, message: Outgoing<'_>) -> bool {
        let Some(conn) = self.open_conn(local) else {
            return false;
        };
        let size = message.queue_size(self.role);
        if let Err(e) = self.queue_reserved(&conn, size, &message) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    /// Queues it, compressed or not; `size` bytes of room are taken.
    fn queue_reserved(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        size: usize,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let compressed = match self.compresses(message) {
            true => self.send_compressed(conn, size, message),
            false => None,
        };
        compressed.unwrap_or_else(|| {
            let local = conn.local();
            conn.send_reserved(size, |out| self.encode(local, out, message, false))
        })
    }

    /// Appends the frames.
    pub(super) fn encode(
        &self,
        local: &LocalLoop,
        out: &mut Vec<u8>,
        message: &Outgoing<'_>,
        compressed: bool,
    ) {
        let &Outgoing {
            opcode,
            payload,
            fragment,
        } = message;
        let mask = || self.mask(local);
        encode_message(out, opcode, compressed, payload, fragment, mask);
    }

    /// Queues a whole frame that other queues hold, too, and for which room was taken. `false`: as in
    /// [`send_reserved`](Self::send_reserved).
    pub(crate) fn send_encoded(
        &self,
        local: &LocalLoop,
        frame: &Arc<[u8]>,
        compressed: bool,
    ) -> bool {
        let Some(conn) = self.open_conn(local) else {
            return false;
        };
        if let Some(compression) = self
            .compression
            .borrow_mut()
            .as_mut()
            .filter(|_| compressed && !mutant!("broadcast_unknown_to_context"))
        {
            compression.forget();
        }
        if let Err(e) = conn.send_shared_reserved(frame) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    pub(super) fn control(&self, conn: &Conn<'_>, control: Control, payload: &[u8]) {
        let opcode = OpCode::Control(control);
        let mask = self.mask(conn.local());
        let size = Outgoing::frame(opcode, payload).queue_size(self.role);
        let sent = conn.send_control(size, |out| encode_frame(out, opcode, true, payload, mask));
        if let Err(e) = sent {
            log::debug!("hvloop: no {opcode} sent: {e}");
        }
    }

    /// Sends the one Close frame.
    pub(super) fn send_close(&self, local: &LocalLoop, code: u16, reason: &str) -> bool {
        let Some(conn) = self.conn(local) else {
            return false;
        };
        let body = (code != 1005).then_some((code, reason));
        let mut frame = Vec::new();
        encode_close(&mut frame, body, self.mask(local));
        let sent = conn.send_control(frame.len(), |out| out.extend_from_slice(&frame));
        sent.is_ok()
    }
}
