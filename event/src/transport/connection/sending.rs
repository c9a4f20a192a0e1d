//! Sending on a connection: into its queue.

use super::state::ConnState;
use super::{Call, Conn, write};
use crate::core::entity::Role;
use crate::error::SendError;
use crate::sys::clock;
use std::ops::Range;
use std::sync::Arc;

/// Queued bytes over which a connection is flushed at once instead of at the end of the turn.
const FLUSH_EARLY: usize = 64 * 1024;
/// The same while its handler is called: what that sends in answer to one read goes out together, after the
/// call.
const FLUSH_IN_CALL: usize = 128 * 1024;

/// From this length on, in bytes, a copy costs more than a write of its own.
const LONG: usize = 32 * 1024;
/// What is written at once of something longer that is made for it: half of the smallest second-level caches.
const PIECE: usize = 128 * 1024;

impl Conn<'_> {
    /// Queues bytes; they are written at the end of this turn, or from 64 KiB on at once: what a handler
    /// sends, after its call.
    ///
    /// # Errors
    ///
    /// The connection is not up, or its queue has no room; nothing was taken then.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        self.reserve(data.len())?;
        self.send_parts_reserved(&[], data)
    }

    /// Queues bytes for which [room was taken](Conn::reserve), `head` before `body`. A long body is not copied
    /// as far as the socket takes it at once.
    ///
    /// # Errors
    ///
    /// The connection is not up; the room was given back.
    pub fn send_parts_reserved(&self, head: &[u8], body: &[u8]) -> Result<(), SendError> {
        let was_up = self.state().takes_data();
        let written = match body.len() {
            LONG.. => write::at_once(self, head, body),
            _ => 0,
        };
        let in_head = written.min(head.len());
        let (head, body) = (&head[in_head..], &body[written - in_head..]);
        if head.is_empty() && body.is_empty() && written > 0 {
            // As after every send: a host turns the loop.
            self.mark_dirty();
            return Ok(());
        }
        self.send_pieces(was_up, head, body.len(), |out, piece| {
            out.extend_from_slice(&body[piece]);
        })
    }

    /// Queues bytes for which [room was taken](Conn::reserve), `head` before `len` ones that `write` appends:
    /// those of the range that it is given, and the next ones after that. What is long is written piece by
    /// piece, each while it is in the caches, as far as the socket takes it at once.
    ///
    /// # Errors
    ///
    /// The connection is not up; the room was given back.
    pub fn send_in_pieces_reserved(
        &self,
        head: &[u8],
        len: usize,
        write: impl FnMut(&mut Vec<u8>, Range<usize>),
    ) -> Result<(), SendError> {
        let was_up = self.state().takes_data();
        self.send_pieces(was_up, head, len, write)
    }

    /// See [`send_in_pieces_reserved`](Conn::send_in_pieces_reserved). `was_up`: the send was accepted. If the
    /// connection breaks as it is written to, that is told by its end, and not by the send.
    fn send_pieces(
        &self,
        was_up: bool,
        mut head: &[u8],
        len: usize,
        mut write: impl FnMut(&mut Vec<u8>, Range<usize>),
    ) -> Result<(), SendError> {
        let mut from = 0;
        while len - from > PIECE && self.is_line_free() {
            let piece = from..from + PIECE;
            let queued = self.put(head.len() + PIECE, |out| {
                out.extend_from_slice(head);
                write(out, piece);
            });
            if queued.is_err() {
                // Its room was given back; that of the rest is below.
                self.state().settings.budget.add(head.len() + PIECE);
                break;
            }
            (head, from) = (&[], from + PIECE);
            write::flush(self);
        }
        if from > 0 {
            // Told of as if all had been queued.
            let state = &mut *self.state();
            state.write.above_high |= len > state.write.marks.1;
        }
        let rest = head.len() + len - from;
        let sent = self.append(rest, |out| {
            out.extend_from_slice(head);
            write(out, from..len);
        });
        if sent.is_err() && was_up {
            self.state().end_mut().lost += rest;
            return Ok(());
        }
        sent
    }

    /// Queues `size` bytes for which room was taken from the [`SendBudget`](crate::conn::SendBudget)
    /// before, such as on another thread.
    ///
    /// # Errors
    ///
    /// The connection is not up; the room was given back, and `write` was not called.
    pub fn send_reserved(
        &self,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        self.append(size, write)
    }

    /// Queues what the protocol must send whatever the limit (a handshake, a Close, a Pong).
    ///
    /// # Errors
    ///
    /// The connection is not up.
    pub fn send_control(
        &self,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        self.state().settings.budget.add(size);
        self.append(size, write)
    }

    /// Takes room for so many bytes from the [`SendBudget`](crate::conn::SendBudget), if they may be sent: for
    /// a send that takes it as taken.
    ///
    /// # Errors
    ///
    /// As [`send`](Conn::send).
    pub fn reserve(&self, size: usize) -> Result<(), SendError> {
        let state = self.state();
        match state.takes_data() {
            true => state.settings.budget.reserve(size),
            false => Err(SendError::NotOpen),
        }
    }

    /// `size` bytes are on the account already.
    fn append(&self, size: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SendError> {
        let queued = self.put(size, write)?;
        let is_late = queued > FLUSH_EARLY && !self.connection.is_in_call();
        if is_late || queued > FLUSH_IN_CALL {
            write::flush(self);
        }
        self.mark_dirty();
        Ok(())
    }

    /// Has `write` append `size` bytes, which are on the account already, to the queue's own buffer; how many
    /// are queued then.
    fn put(&self, size: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<usize, SendError> {
        let pool = &self.core().buffers;
        self.queue(size, |state| {
            let tail = state.queue().tail(size, pool);
            let before = tail.len();
            write(tail);
            debug_assert_eq!(
                tail.len() - before,
                size,
                "queued another size than was said"
            );
        })
    }

    /// A call of the handler is over: much that it has queued is written now, while it is in the caches.
    pub(super) fn flush_much(&self) {
        let queued = self.state().unsent();
        if queued > FLUSH_EARLY {
            write::flush(self);
        }
    }

    /// Lets `f` queue so many bytes, which are on the account already; how many are queued then.
    fn queue(&self, size: usize, f: impl FnOnce(&mut ConnState)) -> Result<usize, SendError> {
        let state = &mut *self.state();
        if !state.takes_data() {
            if self.place().role() == Role::Connection {
                state.settings.budget.release(size);
            }
            return Err(SendError::NotOpen);
        }
        if state.unsent() == 0 {
            state.write.progress = clock::now();
        }
        f(state);
        state.write.untold += size;
        let unsent = state.unsent();
        state.write.above_high |= unsent > state.write.marks.1;
        state.charge(&self.core().memory);
        Ok(unsent)
    }

    /// Queues bytes that other queues may hold, too: they are not copied. For broadcasts.
    ///
    /// # Errors
    ///
    /// As [`send`](Conn::send).
    pub fn send_shared(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        self.reserve(data.len())?;
        self.send_shared_reserved(data)
    }

    /// As [`send_shared`](Conn::send_shared), for bytes for which room was taken from the
    /// [`SendBudget`](crate::conn::SendBudget) before.
    ///
    /// # Errors
    ///
    /// The connection is not up; the room was given back.
    pub fn send_shared_reserved(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        let pool = &self.core().buffers;
        self.queue(data.len(), |state| state.queue().push_shared(data, pool))?;
        self.mark_dirty();
        Ok(())
    }

    /// Sets the marks of the send queue:
    /// [`Handler::on_low_water`](crate::conn::Handler::on_low_water) is called each time the queue, having held
    /// more than `high` bytes, has fallen to `low` or less. Both in bytes; off at first.
    pub fn set_water_marks(&self, low: usize, high: usize) {
        let state = &mut *self.state();
        state.write.marks = (low, high);
        state.write.above_high |= state.unsent() > high;
    }

    /// How many of the bytes that were accepted here the socket has taken since this was last asked, those of
    /// the protocol itself included.
    pub fn take_written(&self) -> usize {
        let state = &mut *self.state();
        let unsent = state.unsent();
        let before = std::mem::replace(&mut state.write.untold, unsent);
        before.saturating_sub(unsent)
    }

    /// Asks for one [`Handler::on_low_water`](crate::conn::Handler::on_low_water) although the high mark
    /// was not passed, as after a refused send. Comes in this turn if the queue is low already.
    pub fn notify_low_water(&self) {
        let reached = {
            let mut state = self.state();
            state.write.above_high = true;
            state.fell_low()
        };
        if reached {
            self.defer(Call::LowWater);
        }
    }

    /// Asks for one [`Handler::on_sent`](crate::conn::Handler::on_sent) once the socket has taken all that is
    /// queued now; in place of what was asked for before. `false`: nothing is queued, and it does not come.
    pub fn notify_sent(&self) -> bool {
        let mut state = self.state();
        if state.life.is_up() {
            state.write.ahead = state.unsent();
        }
        state.life.is_up() && state.write.ahead > 0
    }

    /// Whether the socket takes what is queued, as far as is known, and little of it waits: what is
    /// queued now goes out in this turn.
    pub fn is_line_free(&self) -> bool {
        let state = self.state();
        state.takes_data() && state.write.writable && state.unsent() <= FLUSH_EARLY
    }
}
