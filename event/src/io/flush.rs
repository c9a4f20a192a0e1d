//! Queue to socket: the write path.

use super::conn::{ConnSlot, ConnTimer};
use super::out_queue::OutQueue;
use crate::core::buffers::BufferPool;
use crate::core::{Deferred, LoopCore};
use crate::error::CloseReason;
use crate::log;
use crate::machine::lifecycle::Lifecycle;
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::clock;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one connection written in one tick.
const WRITE_BUDGET: usize = 1024 * 1024;

/// How a flush ended.
#[derive(Debug)]
pub(super) enum Flushed {
    /// Everything is written.
    All,
    /// The socket takes no more now; its readiness goes on with it.
    Blocked,
    /// The tick's budget is used up.
    Budget,
    /// Writing failed.
    Failed(io::Error),
}

impl LoopCore {
    /// Writes what is queued, as far as the socket takes it, and moves a finishing connection on.
    /// Calls no user.
    pub(crate) fn flush(&self, key: Key) {
        let (flushed, written, low_water, sent, read_on) = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            if slot.life.is_closed() || slot.stream.is_none() {
                return;
            }
            let (mut written, before) = (0, slot.unsent());
            let flushed = slot.write_out(&self.buffers, &mut written);
            if written > 0 {
                slot.last_progress = self.clock_now();
            }
            let sent = slot.took(before.saturating_sub(slot.unsent()));
            let read_on = written > 0 && slot.discard_on();
            self.memory.charge(slot);
            (flushed, written, slot.fell_low(), sent, read_on)
        };
        self.shared.counters.bytes_out.add(written as u64);
        if low_water {
            self.defer(Deferred::LowWater(key));
        }
        if sent {
            self.defer(Deferred::Sent(key));
        }
        if read_on {
            self.mark_ready(key);
        }
        match flushed {
            Flushed::All => self.flushed_all(key),
            Flushed::Blocked => self.watch_stall(key),
            Flushed::Budget => self.mark_dirty(key),
            Flushed::Failed(e) => {
                let stands = self.settled_reason(key).or_else(|| self.peer_gone(key));
                self.begin_close(key, stands.unwrap_or(CloseReason::Io(Arc::new(e))));
            }
        }
    }

    /// Writes although nobody told of room. The system does so late: Linux when a third of a buffer of
    /// megabytes is free, and of a Unix socket when three quarters are. Before a peer is said to take
    /// nothing it is tried.
    pub(crate) fn try_to_write(&self, key: Key) {
        let waits = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.stream.is_some() && slot.wants_write() => {
                slot.writable |= !mutant!("stalled_without_a_try");
                true
            }
            _ => false,
        };
        if waits {
            self.flush(key);
        }
    }

    /// The reason to end that stands although writing failed: the peer's end was read before, and nothing
    /// that was accepted is lost by it.
    fn peer_gone(&self, key: Key) -> Option<CloseReason> {
        let slots = self.slots.borrow();
        let slot = slots.get(key)?;
        let gone = slot.read_closed && slot.life == Lifecycle::Flushing && slot.unsent() == 0;
        slot.end_reason.as_deref().filter(|_| gone).cloned()
    }

    /// Everything is written: a finishing connection ends TLS, then its write side, then waits for
    /// the peer's end.
    fn flushed_all(&self, key: Key) {
        let (finishing, end, again) = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            let finishing = slot.life == Lifecycle::Flushing;
            let half = slot.half_closed && slot.life.is_up() && !slot.fin_sent;
            if !finishing && !half {
                return;
            }
            if slot.begin_tls_end() {
                (finishing, false, true)
            } else {
                slot.end_write_side();
                if finishing {
                    slot.life.flushed();
                    slot.discard_answers();
                }
                (finishing, slot.read_closed, false)
            }
        };
        if again {
            self.flush(key);
        } else if !finishing {
            // A half close: the peer's side goes on.
        } else if end || mutant!("no_linger") {
            self.end_in_order(key);
        } else {
            self.await_end(key);
            // What came before this may have been left unread by the handler's end.
            self.mark_ready(key);
            self.watch_flood(key);
        }
    }

    /// The connection finished: closes it with the reason it was given.
    pub(super) fn end_in_order(&self, key: Key) {
        let reason = match self.slots.borrow().get(key) {
            Some(slot) => slot.end_reason.as_deref().cloned(),
            None => return,
        };
        self.begin_close(key, reason.unwrap_or(CloseReason::Peer));
    }

    /// Arms the stall deadline if none is.
    fn watch_stall(&self, key: Key) {
        let limit = match self.slots.borrow().get(key) {
            Some(slot) if slot.stall_timer.is_none() => slot.stall_limit(),
            _ => None,
        };
        if let Some((limit, _)) = limit {
            let timer = self.arm_conn_timer(None, limit, key, ConnTimer::Stall);
            if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                slot.stall_timer = timer;
            }
        }
    }

    /// The stall deadline: closes, or waits on if the socket took something meanwhile.
    pub(super) fn check_stall(&self, key: Key) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.stall_timer = None;
        }
        self.try_to_write(key);
        let now = self.now();
        let (limit, reason, idle, armed) = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key).filter(|slot| slot.wants_write()) else {
                return;
            };
            let Some((limit, reason)) = slot.stall_limit() else {
                return;
            };
            let idle = now.saturating_duration_since(slot.last_progress);
            (limit, reason, idle, slot.stall_timer.take())
        };
        match limit.checked_sub(idle).filter(|rest| !rest.is_zero()) {
            None => {
                let settled = self.settled_reason(key);
                self.begin_close(key, settled.unwrap_or(reason));
            }
            Some(rest) => {
                let timer = self.arm_conn_timer(armed, rest, key, ConnTimer::Stall);
                if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                    slot.stall_timer = timer;
                }
            }
        }
    }

    /// The limit to a standing queue has changed: counted from now.
    pub(crate) fn set_stall(&self, key: Key, limit: Option<Duration>) {
        let timer = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => {
                slot.settings.write_stall = limit;
                slot.stall_timer.take()
            }
            None => return,
        };
        if let Some(timer) = timer {
            self.kill_timer(timer);
        }
        let waits = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.stream.is_some() && slot.wants_write() => {
                slot.last_progress = clock::now();
                true
            }
            _ => false,
        };
        if waits {
            self.watch_stall(key);
        }
    }
}

impl ConnSlot {
    /// Ends the writing side of the socket.
    fn end_write_side(&mut self) {
        if std::mem::replace(&mut self.fin_sent, true) {
            return;
        }
        if let Some(Err(e)) = self.stream.as_ref().map(|stream| stream.shutdown_write()) {
            // Usually: the peer is gone already.
            log::debug!("hvloop: shutdown: {e}");
        }
    }

    /// The queue of what the protocol above sends.
    pub(crate) fn queue(&mut self) -> &mut OutQueue {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.as_mut() {
            return tls.queue();
        }
        &mut self.out
    }

    /// The queue that the protocol above appends to.
    pub(crate) fn tail(&mut self, pool: &BufferPool) -> &mut Vec<u8> {
        self.queue().tail(pool)
    }

    fn write_out(&mut self, pool: &BufferPool, written: &mut usize) -> Flushed {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return self.write_out_tls(pool, written);
        }
        let before = *written;
        let flushed = self.write_queue(pool, written);
        self.settings.budget.release(*written - before);
        flushed
    }

    /// Writes `out` to the socket.
    pub(super) fn write_queue(&mut self, pool: &BufferPool, written: &mut usize) -> Flushed {
        let mut scratch = pool.take_scratch();
        let flushed = self.write_pieces(pool, written, &mut scratch);
        pool.give_scratch(scratch);
        flushed
    }

    fn write_pieces(
        &mut self,
        pool: &BufferPool,
        written: &mut usize,
        scratch: &mut Vec<u8>,
    ) -> Flushed {
        let Some(stream) = self.stream.as_mut() else {
            return Flushed::Blocked;
        };
        while !self.out.is_empty() {
            if !self.writable {
                return Flushed::Blocked;
            }
            if *written >= WRITE_BUDGET {
                return Flushed::Budget;
            }
            let bytes = self.out.next(scratch);
            let asked = bytes.len();
            match stream.write(bytes) {
                Ok(n) => {
                    *written += n;
                    let n = if mutant!("short_write_taken_for_all") {
                        asked
                    } else {
                        n
                    };
                    self.out.consume(n, pool);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(e) => return Flushed::Failed(e),
            }
        }
        Flushed::All
    }
}

#[cfg(not(feature = "tls"))]
impl ConnSlot {
    fn begin_tls_end(&mut self) -> bool {
        false
    }

    pub(super) fn is_truncated(&self) -> bool {
        false
    }
}
