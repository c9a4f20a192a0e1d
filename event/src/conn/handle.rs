//! A connection on its loop's thread.

use super::{ConnId, SendBudget};
use crate::core::{Deferred, LoopCore};
use crate::error::{CloseReason, SendError};
use crate::local_loop::LocalLoop;
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::{Address, clock};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Queued bytes over which a connection is flushed at once instead of at the end of the turn.
const FLUSH_EARLY: usize = 64 * 1024;

/// A connection, on the loop's thread, for the time of a call.
#[derive(Clone, Copy)]
pub struct Conn<'a> {
    local: &'a LocalLoop,
    key: Key,
}

impl<'a> Conn<'a> {
    pub(crate) fn new(local: &'a LocalLoop, key: Key) -> Self {
        Self { local, key }
    }

    pub(crate) fn find(local: &'a LocalLoop, id: ConnId) -> Option<Self> {
        let key = local.core().mine(id.0);
        let there = {
            let slots = local.core().slots.borrow();
            slots.get(key).is_some_and(|slot| !slot.life.is_closed())
        };
        there.then_some(Self { local, key })
    }

    fn core(&self) -> &'a LoopCore {
        self.local.core()
    }

    /// Its name.
    pub fn id(&self) -> ConnId {
        ConnId(self.core().own(self.key))
    }

    /// Its loop.
    pub fn local(&self) -> &'a LocalLoop {
        self.local
    }

    /// The peer's address, once connected; also in `on_close`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer()?.inet()
    }

    /// This side's address, once connected; also in `on_close`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_address()?.inet()
    }

    /// The peer's address, which may be that of a Unix socket.
    pub fn peer(&self) -> Option<Address> {
        self.core().slots.borrow().get(self.key)?.peer.clone()
    }

    /// This side's address, which may be that of a Unix socket.
    pub fn local_address(&self) -> Option<Address> {
        self.core().slots.borrow().get(self.key)?.local.clone()
    }

    /// The account of its send queue, for handles.
    pub fn budget(&self) -> Option<Arc<SendBudget>> {
        let slots = self.core().slots.borrow();
        Some(slots.get(self.key)?.settings.budget.clone())
    }

    /// The application protocol that TLS agreed on (ALPN).
    #[cfg(feature = "tls")]
    pub fn alpn(&self) -> Option<Vec<u8>> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.tls.as_ref()?.alpn()
    }

    /// The name that the client asked for (SNI), of a connection that was accepted with TLS.
    #[cfg(feature = "tls")]
    pub fn server_name(&self) -> Option<String> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.tls.as_ref()?.client_asked_for()
    }

    /// The version of TLS that was agreed on, once the handshake is done.
    #[cfg(feature = "tls")]
    pub fn tls_version(&self) -> Option<crate::tls::TlsVersion> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.tls.as_ref()?.version()
    }

    /// The peer's certificate chain in DER, its own first, once TLS has seen it.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> Option<Vec<Vec<u8>>> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.tls.as_ref()?.peer_certificates()
    }

    /// Bytes queued on this connection that the socket has not taken.
    pub fn unsent(&self) -> usize {
        let slots = self.core().slots.borrow();
        slots.get(self.key).map_or(0, |slot| slot.unsent())
    }

    /// When the socket last took some of what was queued here; before that, when the first of it was
    /// queued. Now, if the connection has gone.
    pub fn write_progress(&self) -> Instant {
        let slots = self.core().slots.borrow();
        let slot = slots.get(self.key);
        slot.map_or_else(clock::now, |slot| slot.last_progress)
    }

    /// When bytes last came from the peer, whatever they were: under TLS also those of a record that is
    /// not whole yet. Before that, when the connection was made. Now, if it has gone.
    pub fn last_read(&self) -> Instant {
        let slots = self.core().slots.borrow();
        let slot = slots.get(self.key);
        slot.map_or_else(clock::now, |slot| slot.last_read)
    }

    /// Tries to write what is queued although the system did not tell of room, which it does late: before
    /// a peer is said to take nothing. Calls no handler.
    pub fn try_to_write(&self) {
        self.core().try_to_write(self.key);
    }

    /// In `on_close`: bytes accepted for sending, on whatever thread, that the socket never took. What it
    /// took may still not have arrived.
    pub fn lost(&self) -> usize {
        let slots = self.core().slots.borrow();
        slots.get(self.key).map_or(0, |slot| slot.lost)
    }

    /// The protocol above is open: ends the deadline of the connect.
    pub fn opened(&self) {
        let timer = {
            let mut slots = self.core().slots.borrow_mut();
            let slot = slots.get_mut(self.key);
            slot.filter(|slot| !slot.was_open).and_then(|slot| {
                slot.was_open = slot.life.opened();
                slot.open_timer.take_if(|_| slot.was_open)
            })
        };
        if let Some(timer) = timer {
            self.core().kill_timer(timer);
        }
    }

    /// Queues bytes; they are written at the end of this turn, or from 64 KiB on at once.
    ///
    /// # Errors
    ///
    /// The connection is not up, or its queue has no room; nothing was taken then.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        self.send_with(data.len(), |out| out.extend_from_slice(data))
    }

    /// Queues `size` bytes that `write` appends to the queue's own buffer.
    ///
    /// # Errors
    ///
    /// As [`send`](Conn::send); `write` was not called then.
    pub fn send_with(
        &self,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        {
            let slots = self.core().slots.borrow();
            let slot = slots.get(self.key).filter(|slot| slot.takes_data());
            let slot = slot.ok_or(SendError::NotOpen)?;
            slot.settings.budget.reserve(size)?;
        }
        self.append(size, write)
    }

    /// Queues `size` bytes for which room was taken from the [`SendBudget`] before, such as on
    /// another thread.
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
        if let Some(slot) = self.core().slots.borrow().get(self.key) {
            slot.settings.budget.add(size);
        }
        self.append(size, write)
    }

    /// `size` bytes are on the account already.
    fn append(&self, size: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SendError> {
        let core = self.core();
        let early = {
            let mut slots = core.slots.borrow_mut();
            let Some(slot) = slots.get_mut(self.key) else {
                return Err(SendError::NotOpen);
            };
            if !slot.takes_data() {
                slot.settings.budget.release(size);
                return Err(SendError::NotOpen);
            }
            if slot.unsent() == 0 {
                slot.last_progress = clock::now();
            }
            let tail = slot.tail(&core.buffers);
            let before = tail.len();
            write(tail);
            debug_assert_eq!(
                tail.len() - before,
                size,
                "queued another size than was said"
            );
            let unsent = slot.unsent();
            slot.above_high |= slot.water_marks.is_some_and(|(_, high)| unsent > high);
            core.memory.charge(slot);
            unsent > FLUSH_EARLY
        };
        if early {
            core.flush(self.key);
        }
        core.mark_dirty(self.key);
        Ok(())
    }

    /// Sets the marks of the send queue: [`Handler::on_low_water`](super::Handler::on_low_water) is called each time the queue,
    /// having held more than `high` bytes, has fallen to `low` or less. Both in bytes; off at first.
    pub fn set_water_marks(&self, low: usize, high: usize) {
        if let Some(slot) = self.core().slots.borrow_mut().get_mut(self.key) {
            slot.water_marks = Some((low, high));
        }
    }

    /// Asks for one [`Handler::on_low_water`](super::Handler::on_low_water) although the high mark was not passed, as after a
    /// refused send. Comes in this turn if the queue is low already.
    pub fn notify_low_water(&self) {
        let reached = {
            let mut slots = self.core().slots.borrow_mut();
            match slots.get_mut(self.key) {
                Some(slot) => {
                    slot.above_high = true;
                    slot.fell_low()
                }
                None => false,
            }
        };
        if reached {
            self.core().defer(Deferred::LowWater(self.key));
        }
    }

    /// Writes what is queued, as far as the socket takes it, instead of at the end of this turn.
    pub fn flush(&self) {
        self.core().flush(self.key);
    }

    /// Says how many bytes of memory this protocol holds of what came on the connection and was not handed
    /// on: unfinished messages, and what a pause holds back. They count for
    /// [`LoopOptions::memory_limit`](crate::LoopOptions::memory_limit).
    pub fn set_gathered(&self, bytes: usize) {
        self.core().set_gathered(self.key, bytes);
    }

    /// Bytes of memory that the send queue takes, those aside that other queues hold, too.
    pub fn queue_memory(&self) -> usize {
        let slots = self.core().slots.borrow();
        slots
            .get(self.key)
            .map_or(0, |slot| slot.charged - slot.gathered)
    }

    /// Whether the socket takes what is queued, as far as is known, and little of it waits: what is
    /// queued now goes out in this turn.
    pub fn is_line_free(&self) -> bool {
        let slots = self.core().slots.borrow();
        let slot = slots.get(self.key).filter(|slot| slot.takes_data());
        slot.is_some_and(|slot| slot.writable && slot.unsent() <= FLUSH_EARLY)
    }

    /// Asks for one [`Handler::on_sent`](super::Handler::on_sent) once the socket has taken all that is
    /// queued now; in place of what was asked for before. `false`: nothing is queued, and it does not come.
    pub fn notify_sent(&self) -> bool {
        let mut slots = self.core().slots.borrow_mut();
        let slot = slots.get_mut(self.key).filter(|slot| slot.life.is_up());
        slot.is_some_and(|slot| {
            slot.ahead = slot.unsent();
            slot.ahead > 0
        })
    }

    /// Queues bytes that other queues may hold, too: they are not copied. For broadcasts.
    ///
    /// # Errors
    ///
    /// As [`send`](Conn::send).
    pub fn send_shared(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        {
            let slots = self.core().slots.borrow();
            let slot = slots.get(self.key).filter(|slot| slot.takes_data());
            let slot = slot.ok_or(SendError::NotOpen)?;
            slot.settings.budget.reserve(data.len())?;
        }
        self.send_shared_reserved(data)
    }

    /// As [`send_shared`](Conn::send_shared), for bytes for which room was taken from the
    /// [`SendBudget`] before.
    ///
    /// # Errors
    ///
    /// The connection is not up; the room was given back.
    pub fn send_shared_reserved(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        let core = self.core();
        {
            let mut slots = core.slots.borrow_mut();
            let slot = slots.get_mut(self.key).ok_or(SendError::NotOpen)?;
            if !slot.takes_data() {
                slot.settings.budget.release(data.len());
                return Err(SendError::NotOpen);
            }
            if slot.unsent() == 0 {
                slot.last_progress = clock::now();
            }
            slot.queue().push_shared(data, &core.buffers);
            core.memory.charge(slot);
            let unsent = slot.unsent();
            slot.above_high |= slot.water_marks.is_some_and(|(_, high)| unsent > high);
        }
        core.mark_dirty(self.key);
        Ok(())
    }

    /// Whether the connection is up and not finishing.
    pub fn is_up(&self) -> bool {
        let slots = self.core().slots.borrow();
        slots.get(self.key).is_some_and(|slot| slot.life.is_up())
    }

    /// Calls [`Handler::on_call`](super::Handler::on_call) from the loop's own frame, in this turn
    /// or the next one; once, however often it was asked for.
    pub fn call_handler(&self) {
        let first = {
            let mut slots = self.core().slots.borrow_mut();
            let slot = slots.get_mut(self.key).filter(|slot| slot.life.is_up());
            slot.is_some_and(|slot| !std::mem::replace(&mut slot.in_call, true))
        };
        if first {
            self.core().defer(Deferred::Handler(self.key));
        }
    }

    /// Takes `cost` off what the connection that is being read may bring in this turn, in bytes: for what a
    /// handler makes of the bytes that it was given, such as messages and inflated bytes. `false`: that
    /// was all, or the turn has to end since the loop stops; the handler keeps the rest, and asks for
    /// [`read_later`](Conn::read_later). To be asked between any two messages, and between portions of a
    /// long one.
    pub fn spend(&self, cost: usize) -> bool {
        self.core().spend(cost)
    }

    /// The handler has kept some of what it was given: its
    /// [`on_call`](super::Handler::on_call) goes on with it in the next turn, before more is read.
    pub fn read_later(&self) {
        self.core().read_later(self.key);
    }

    /// Reads no further for now: what comes stays with the system, whose window then holds the peer
    /// back. What was read already still comes. A connection that is told to finish reads on.
    ///
    /// libhv: `hio_read_stop`.
    pub fn pause_reading(&self) {
        if let Some(slot) = self.core().slots.borrow_mut().get_mut(self.key) {
            slot.reading_paused = true;
        }
    }

    /// Reads again.
    ///
    /// libhv: `hio_read_start`.
    pub fn resume_reading(&self) {
        let paused = {
            let mut slots = self.core().slots.borrow_mut();
            let slot = slots.get_mut(self.key);
            slot.is_some_and(|slot| {
                slot.last_read = clock::now();
                std::mem::take(&mut slot.reading_paused)
            })
        };
        // Readiness was told once, while nobody read.
        if paused && !mutant!("resume_forgets_readiness") {
            self.core().mark_ready(self.key);
        }
    }

    /// Whether reading is paused.
    pub fn is_reading_paused(&self) -> bool {
        let slots = self.core().slots.borrow();
        slots.get(self.key).is_some_and(|slot| slot.reading_paused)
    }

    /// See [`Connect::read_timeout`](super::Connect::read_timeout); counted from now.
    pub fn set_read_timeout(&self, limit: Option<Duration>) {
        self.core()
            .set_quiet(self.key, |settings| settings.read_timeout = limit);
    }

    /// See [`Connect::idle_timeout`](super::Connect::idle_timeout); counted from now.
    pub fn set_idle_timeout(&self, limit: Option<Duration>) {
        self.core()
            .set_quiet(self.key, |settings| settings.idle_timeout = limit);
    }

    /// See [`Connect::write_stall`](super::Connect::write_stall); counted from now.
    pub fn set_write_stall(&self, limit: Option<Duration>) {
        self.core().set_stall(self.key, limit);
    }

    /// The limit to a queue that nobody takes anything of; `None`: there is none.
    pub fn write_stall(&self) -> Option<Duration> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.settings.stall_limit()
    }

    /// Ends this side alone, behind what is queued (half close): nothing more can be sent, what the
    /// peer sends still comes, and its end ends the connection. Where the peer has ended its side already
    /// it is the end of both. TLS 1.2 peers may take it for the end of both sides (RFC 5246 section 7.2.1).
    pub fn shutdown(&self) {
        let (first, both) = {
            let mut slots = self.core().slots.borrow_mut();
            match slots.get_mut(self.key).filter(|slot| slot.life.is_up()) {
                Some(slot) if slot.read_closed => (false, true),
                Some(slot) => (!std::mem::replace(&mut slot.half_closed, true), false),
                None => (false, false),
            }
        };
        if both {
            self.finish(CloseReason::Peer);
        } else if first {
            self.core().mark_dirty(self.key);
        }
    }

    /// For [`Handler::on_end`](super::Handler::on_end): finishes this side, too, unless it may stay half
    /// open ([`Listen::allow_half_open`](super::Listen::allow_half_open)) and has not ended before.
    pub fn end_with_peer(&self) {
        let stays = {
            let slots = self.core().slots.borrow();
            let slot = slots.get(self.key);
            slot.is_some_and(|slot| slot.settings.allow_half_open && !slot.half_closed)
        };
        if !stays || mutant!("half_open_ends_with_peer") {
            self.finish(CloseReason::Peer);
        }
    }

    /// See [`Listen::allow_half_open`](super::Listen::allow_half_open). Turned off when the peer has ended
    /// its side, it ends this side, too, behind what is queued.
    pub fn set_allow_half_open(&self, on: bool) {
        let ends = match self.core().slots.borrow_mut().get_mut(self.key) {
            Some(slot) => {
                slot.settings.allow_half_open = on;
                !on && slot.read_closed && slot.life.is_up()
            }
            None => false,
        };
        if ends {
            self.finish(CloseReason::Peer);
        }
    }

    /// Whether the peer has ended its side, and this was read.
    pub fn has_peer_ended(&self) -> bool {
        let slots = self.core().slots.borrow();
        slots.get(self.key).is_some_and(|slot| slot.read_closed)
    }

    /// Takes the connection off this loop, for another one: at the end of this turn the handler's
    /// [`on_leave`](super::Handler::on_leave) gets the socket, unless the connection or the loop
    /// ends before. What this turn has read is handled here. `false`: it is not open, or is
    /// finishing, or the loop is stopping.
    ///
    /// libhv: `hio_detach`.
    pub fn leave(&self) -> bool {
        let may = self.core().may_leave(self.key);
        if may && mutant!("leave_in_mid_read") {
            self.core().leave(self.key);
        } else if may {
            // Not here: a read may be under way, and what TLS has of it would be lost.
            self.core().defer(Deferred::Leave(self.key));
        }
        may
    }

    /// Ends the connection in order: writes out what was accepted, for as long as the peer takes some of it
    /// within [`Connect::write_stall`](super::Connect::write_stall), ends TLS (`close_notify`), shuts
    /// the write side, waits for the peer's end, and closes; by force if that end does not come within
    /// [`Connect::linger`](super::Connect::linger) of the last byte. What comes in meanwhile is
    /// discarded, and not read without end (`docs/limits.md`). A connection that is not up is
    /// closed at once. Only the first call counts.
    pub fn finish(&self, reason: CloseReason) {
        self.core().finish_connection(self.key, reason, false);
    }

    /// Like [`finish`](Conn::finish), for when the peer has agreed to the end: once all that was
    /// accepted is written, `reason` is what `on_close` is told, whatever happens to the transport.
    pub fn finish_agreed(&self, reason: CloseReason) {
        self.core().finish_connection(self.key, reason, true);
    }

    /// Like [`finish`](Conn::finish), for what this side found wrong in the input: what was accepted
    /// before goes out, and `reason` is what `on_close` is told, whatever the peer or the transport does
    /// meanwhile.
    pub fn fail(&self, reason: CloseReason) {
        self.core().fail_connection(self.key, reason);
    }

    /// Ends the connection at the end of this turn, without writing out what is queued.
    pub fn close_now(&self, reason: CloseReason) {
        self.core().begin_close(self.key, reason);
    }
}

impl fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("id", &self.key).finish()
    }
}
