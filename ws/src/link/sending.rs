//! Messages and control frames on their way out.

use super::{Link, Stage};
use crate::event::{ConnectionError, Initiator};
use crate::mutant::mutant;
use crate::protocol::{Control, OpCode, Role, encode_close, encode_frame, frame_len};
use hvloop_event::conn::Conn;
use hvloop_event::{CloseReason, LocalLoop, SendError};
use std::rc::Rc;
use std::sync::Arc;

/// What becomes of a connection whose send queue has no room for a message, which is refused in any
/// case. A peer that reads too slowly is the usual reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing: the sender is told, and `on_drain` tells when to try again. For broadcasts and topics
    /// this means that slow peers miss messages.
    #[default]
    Refuse,
    /// It is closed with code 1013 (Try Again Later) behind what is queued, and by force if the peer
    /// does not take that in the time for the close handshake. `on_close` tells
    /// [`ConnectionError::PeerTooSlow`]. A message that is longer than the whole queue closes nothing.
    Close,
}

/// The close code of [`WhenFull::Close`].
const TRY_AGAIN_LATER: u16 = 1013;

/// How many bytes of the send queue a message takes, at most.
pub(super) fn queue_size(role: Role, payload: usize) -> usize {
    frame_len(payload, role == Role::Client)
}

impl Link {
    /// The mask of a frame to send: a client's is fresh and unpredictable (RFC 6455 section 5.3).
    pub(super) fn mask(&self, local: &LocalLoop) -> Option<[u8; 4]> {
        match self.role {
            Role::Client => Some(local.random_u32().to_ne_bytes()),
            Role::Server => None,
        }
    }

    fn open_conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        match self.stage.get() {
            Stage::Open => self.conn(local),
            _ => None,
        }
    }

    /// Queues a frame, on the loop's thread.
    pub(crate) fn send(
        self: &Rc<Self>,
        local: &LocalLoop,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let conn = self.open_conn(local).ok_or(SendError::NotOpen)?;
        let size = queue_size(self.role, payload.len());
        let sent = match self.compresses(opcode, payload.len()) {
            None => {
                let mask = self.mask(local);
                conn.send_with(size, |out| encode_frame(out, opcode, true, payload, mask))
            }
            // Room first: a message that was compressed has to be sent.
            Some(_) => {
                let budget = conn.budget().ok_or(SendError::NotOpen)?;
                let reserved = budget.reserve(size);
                reserved.and_then(|()| self.queue_reserved(&conn, size, opcode, payload))
            }
        };
        if matches!(sent, Err(SendError::QueueFull { .. })) {
            self.refused(local);
        }
        sent
    }

    /// Queues a frame for which another thread took room. `false`: the connection is not open, and
    /// the room is the caller's to give back.
    pub(crate) fn send_reserved(
        self: &Rc<Self>,
        local: &LocalLoop,
        opcode: OpCode,
        payload: &[u8],
    ) -> bool {
        let Some(conn) = self.open_conn(local) else {
            return false;
        };
        let size = queue_size(self.role, payload.len());
        if let Err(e) = self.queue_reserved(&conn, size, opcode, payload) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    /// Queues a frame, compressed or not, for which `size` bytes of room are taken.
    fn queue_reserved(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        size: usize,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let kind = self.compresses(opcode, payload.len());
        let compressed = kind.and_then(|kind| self.send_compressed(conn, size, kind, payload));
        compressed.unwrap_or_else(|| {
            let mask = self.mask(conn.local());
            conn.send_reserved(size, |out| encode_frame(out, opcode, true, payload, mask))
        })
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
            .filter(|_| compressed)
        {
            compression.forget();
        }
        if let Err(e) = conn.send_shared_reserved(frame) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    /// A send was refused for want of room, on whatever thread: asks for the drain callback, or
    /// closes.
    pub(crate) fn refused(self: &Rc<Self>, local: &LocalLoop) {
        let Some(conn) = self.open_conn(local) else {
            return;
        };
        match self.options.when_full {
            WhenFull::Close if conn.unsent() > 0 => {
                self.blame(Initiator::Local, Some(ConnectionError::PeerTooSlow));
                let (code, why) = (TRY_AGAIN_LATER, CloseReason::Local);
                self.finish(local, code, "too slow", Initiator::Local, why);
            }
            _ => conn.notify_low_water(),
        }
    }

    /// Answers a Ping with its payload.
    pub(super) fn pong(&self, conn: &Conn<'_>, payload: &[u8]) {
        if mutant!("pong_lost_when_blocked") && conn.unsent() > 0 {
            return;
        }
        self.control(conn, Control::Pong, payload);
    }

    pub(super) fn control(&self, conn: &Conn<'_>, control: Control, payload: &[u8]) {
        let opcode = OpCode::Control(control);
        let mask = self.mask(conn.local());
        let size = queue_size(self.role, payload.len());
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
