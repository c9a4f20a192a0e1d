//! The sending half of a connection: frames into the send queue.

mod compression;
mod pongs;

use self::compression::Compression;
use self::pongs::Pongs;
use super::outgoing::Outgoing;
use crate::deflate::{DeflateOptions, DeflateParams};
use crate::protocol::{
    OpCode, Role, append_masked, encode_close, encode_frame, encode_message, message_head,
};
use hvloop_event::conn::Conn;
use hvloop_event::log;
use hvloop_event::{LocalLoop, SendError};
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

/// See the module. Knows nothing of whether anything may be sent.
pub(super) struct Sender {
    role: Role,
    pongs: Cell<Pongs>,
    /// permessage-deflate was agreed on. Apart, since most connections have none.
    compression: OnceCell<Rc<Compression>>,
}

impl Sender {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            pongs: Cell::default(),
            compression: OnceCell::new(),
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The upgrade agreed on permessage-deflate.
    pub(super) fn set_deflate(
        &self,
        local: &LocalLoop,
        options: &DeflateOptions,
        params: &DeflateParams,
    ) {
        if let Some(compression) = Compression::new(self.role, options, params, local.clock_now()) {
            self.compression.get_or_init(|| compression);
        }
    }

    /// Queues a frame or a message, if there is room for it.
    pub(super) fn send(&self, conn: &Conn<'_>, message: &Outgoing<'_>) -> Result<(), SendError> {
        // Room first: a message that was compressed has to be sent.
        conn.reserve(message.queue_size(self.role))?;
        self.send_reserved(conn, message)
    }

    /// Queues it, compressed or not; room is taken for as much as it takes at most.
    pub(super) fn send_reserved(
        &self,
        conn: &Conn<'_>,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let size = message.queue_size(self.role);
        let compressed = self
            .compression_for(message)
            .and_then(|compression| self.send_compressed(compression, conn, size, message));
        compressed.unwrap_or_else(|| self.send_plain(conn, size, message))
    }

    /// Queues it as it is; `size` bytes of room are taken.
    fn send_plain(
        &self,
        conn: &Conn<'_>,
        size: usize,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        if message.fragment.is_some() {
            return conn.send_reserved(size, |out| self.encode(conn.local(), out, message, false));
        }
        let (payload, mask) = (message.payload, self.mask(conn.local()));
        let (head, len) = message_head(message.opcode, payload.len(), mask);
        match mask {
            None => conn.send_parts_reserved(&head[..len], payload),
            Some(mask) => {
                conn.send_in_pieces_reserved(&head[..len], payload.len(), |out, piece| {
                    append_masked(out, &payload[piece.clone()], mask, piece.start);
                })
            }
        }
    }

    /// How it is compressed, if it is to be.
    fn compression_for(&self, message: &Outgoing<'_>) -> Option<&Rc<Compression>> {
        let compression = self.compression.get()?;
        let wanted = !message.opcode.is_control() && compression.wants(message.payload.len());
        wanted.then_some(compression)
    }

    /// Queues a message in its compressed form, if that is shorter; `size` bytes of room are taken,
    /// of which the rest is given back. `None`: it is not shorter.
    fn send_compressed(
        &self,
        compression: &Rc<Compression>,
        conn: &Conn<'_>,
        size: usize,
        message: &Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        compression.compress(conn.local(), message.payload, |compressed| {
            let message = message.with(compressed);
            let short = message.queue_size(self.role);
            if let Some(budget) = conn.budget() {
                match size.checked_sub(short) {
                    Some(less) => budget.release(less),
                    // Some bytes over the limit, where it is wanted in any case.
                    None => budget.add(short - size),
                }
            }
            conn.send_reserved(short, |out| self.encode(conn.local(), out, &message, true))
        })
    }

    /// Queues a whole frame that other queues hold, too, and for which room was taken.
    pub(super) fn send_encoded(
        &self,
        conn: &Conn<'_>,
        frame: &Arc<[u8]>,
        compressed: bool,
    ) -> Result<(), SendError> {
        if let Some(compression) = self.compression.get()
            && compressed
        {
            compression.forget();
        }
        conn.send_shared_reserved(frame)
    }

    /// Sends a control frame, whatever is queued.
    pub(super) fn control(&self, conn: &Conn<'_>, opcode: OpCode, payload: &[u8]) {
        let mask = self.mask(conn.local());
        let size = Outgoing::frame(opcode, payload).queue_size(self.role);
        let sent = conn.send_control(size, |out| encode_frame(out, opcode, true, payload, mask));
        if let Err(e) = sent {
            log::debug!("hvloop: no {opcode:?} sent: {e}");
        }
    }

    /// Sends the one Close frame, behind the Pong that is owed. `false`: the connection takes none.
    pub(super) fn close(&self, conn: &Conn<'_>, code: u16, reason: &str) -> bool {
        self.last_pong(conn);
        let body = (code != 1005).then_some((code, reason));
        let mut frame = Vec::new();
        encode_close(&mut frame, body, self.mask(conn.local()));
        let sent = conn.send_control(frame.len(), |out| out.extend_from_slice(&frame));
        sent.is_ok()
    }

    /// Appends the frames.
    fn encode(
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

    /// The mask of a frame to send: a client's is fresh and unpredictable (RFC 6455 section 5.3).
    fn mask(&self, local: &LocalLoop) -> Option<[u8; 4]> {
        match self.role {
            Role::Client => Some(local.random_u32().to_ne_bytes()),
            Role::Server => None,
        }
    }

    /// The connection has ended.
    pub(super) fn end(&self, local: &LocalLoop) {
        if let Some(compression) = self.compression.get() {
            compression.end(local);
        }
    }
}
