//! Readiness to handler: the read path.

use super::conn::Read;
use crate::conn::{Conn, Handler};
use crate::core::{LoopCore, slots};
use crate::error::CloseReason;
use crate::local_loop::LocalLoop;
use crate::machine::lifecycle::Lifecycle;
use crate::mutant::mutant;
use crate::proxy::ProxyError;
use crate::sys::Key;
use crate::sys::{Readiness, Stream, clock};
use std::io;
use std::sync::Arc;

/// Reads of one connection in one tick.
const READS: usize = 4;

/// What one connection may bring in one tick, in bytes: read, and made of that (messages, inflated bytes).
const ALLOWANCE: usize = READS * 64 * 1024;

/// How a turn of reading a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// Go on reading.
    More,
    /// The connection is closing; stop.
    Stop,
    /// The peer ended its side inside the stream (TLS `close_notify`).
    #[cfg(feature = "tls")]
    End,
}

impl LoopCore {
    /// Merges an event into the connection or source. `false`: stale.
    pub(crate) fn note_readiness(&self, event: &Readiness) -> bool {
        if slots::is_source(event.key) {
            let noted = self.with_source(event.key, |slot| {
                slot.readable |= event.readable || event.hangup;
                slot.writable |= event.writable;
            });
            return noted.is_some();
        }
        match self.slots.borrow_mut().get_mut(event.key) {
            Some(slot) => {
                slot.readable |= event.readable || event.hangup;
                slot.writable |= event.writable;
                slot.hangup |= event.hangup;
                slot.may_be_gone |= event.hangup && slot.read_closed;
                slot.urgent |= event.urgent && !mutant!("urgent_data_hides_the_rest");
                true
            }
            None => false,
        }
    }

    /// Does what the connection's readiness allows; a TLS handshake waits for its turn.
    pub(crate) fn dispatch(&self, local: &LocalLoop, key: Key) {
        self.dispatch_if(local, key, false);
    }

    /// As [`dispatch`](Self::dispatch), for a connection whose TLS handshake has its turn.
    pub(crate) fn dispatch_handshake(&self, local: &LocalLoop, key: Key) {
        self.dispatch_if(local, key, true);
    }

    fn dispatch_if(&self, local: &LocalLoop, key: Key, has_turn: bool) {
        let (life, readable, flush) = match self.slots.borrow().get(key) {
            Some(slot) => (
                slot.life,
                slot.behind || (slot.has_something() && !slot.holds_back()),
                slot.writable && slot.wants_write(),
            ),
            None => return,
        };
        match life {
            Lifecycle::Resolving | Lifecycle::Closed => {}
            // Or adopted, and not up yet: then there are no racers, and what came is noted.
            Lifecycle::Connecting => self.check_racers(local, key),
            Lifecycle::Securing if readable && !has_turn => self.queue_handshake(key),
            _ => {
                self.check_half_open(key);
                if flush {
                    self.mark_dirty(key);
                }
                if readable {
                    self.read(local, key);
                }
            }
        }
    }

    /// Nothing is read from a half-open connection any more: that it broke is looked for when the poller
    /// speaks of something.
    fn check_half_open(&self, key: Key) {
        let gone = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.may_be_gone && slot.life.is_up() => {
                slot.may_be_gone = false;
                match slot.stream.as_ref().map(Stream::connected) {
                    Some(Ok(false)) => Some(io::ErrorKind::ConnectionReset.into()),
                    Some(Err(e)) => Some(e),
                    Some(Ok(true)) | None => None,
                }
            }
            _ => None,
        };
        if let Some(e) = gone.filter(|_| !mutant!("half_open_for_ever")) {
            self.begin_close(key, CloseReason::Io(Arc::new(e)));
        }
    }

    fn read(&self, local: &LocalLoop, key: Key) {
        let Some(mut handler) = self.take_handler(key) else {
            return;
        };
        let mut buffer = self.buffers.take_socket();
        let mut left = READS;
        self.allowance.set(ALLOWANCE);
        self.catch_up(local, key, &mut handler);
        loop {
            if left == 0 || self.allowance.get() == 0 || self.must_hurry() {
                if !mutant!("rest_after_budget_forgotten") {
                    self.mark_ready(key);
                }
                break;
            }
            left -= usize::from(!mutant!("read_without_budget"));
            let read = match self.slots.borrow_mut().get_mut(key) {
                Some(slot) if !slot.life.is_closed() && !slot.holds_back() && !slot.behind => {
                    slot.read(&mut buffer)
                }
                _ => break,
            };
            match read {
                Read::Data(n) => {
                    self.shared.counters.bytes_in.add(n as u64);
                    self.note_read(key, n);
                    self.spend(n);
                    match self.feed(local, key, &mut handler, &mut buffer[..n]) {
                        Fed::More => {}
                        Fed::Stop => break,
                        #[cfg(feature = "tls")]
                        Fed::End => {
                            self.peer_ended(local, key, &mut handler);
                            break;
                        }
                    }
                }
                Read::Blocked => break,
                Read::End => {
                    self.peer_ended(local, key, &mut handler);
                    break;
                }
                Read::Failed(e) => {
                    let settled = self.settled_reason(key);
                    self.begin_close(key, settled.unwrap_or(CloseReason::Io(Arc::new(e))));
                    break;
                }
            }
        }
        self.buffers.give_socket(buffer);
        self.put_back(key, handler);
        self.watch_flood(key);
    }

    /// Lets the handler go on with what it kept in an earlier turn.
    fn catch_up(&self, local: &LocalLoop, key: Key, handler: &mut Box<dyn Handler>) {
        let is_behind = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.behind => {
                slot.behind = false;
                // That nothing was read meanwhile is not the peer's doing.
                slot.last_read = clock::now();
                slot.life.is_up()
            }
            _ => false,
        };
        if is_behind {
            let conn = Conn::new(local, key);
            self.guarded(handler, &conn, |handler, conn| handler.on_call(conn));
        }
        #[cfg(feature = "tls")]
        if self.tls_has_ended(key) {
            self.peer_ended(local, key, handler);
        }
    }

    /// See [`Conn::spend`].
    pub(crate) fn spend(&self, cost: usize) -> bool {
        let left = self.allowance.get().saturating_sub(cost);
        self.allowance.set(left);
        left > 0 && !self.must_hurry()
    }

    /// Begins a call of a handler outside of a read.
    pub(super) fn allow(&self) {
        self.allowance.set(ALLOWANCE);
    }

    /// See [`Conn::read_later`].
    pub(crate) fn read_later(&self, key: Key) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.behind = true;
        }
        self.mark_ready(key);
    }

    /// So many bytes were read, for the limits to being quiet and to a flood.
    fn note_read(&self, key: Key, bytes: usize) {
        if mutant!("long_reads_are_life") && bytes < 64 {
            return;
        }
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.last_read = self.clock_now();
            slot.count_discarded(bytes);
        }
    }

    /// Hands bytes from the socket on: to the handshake with a proxy, and through TLS if there is any.
    pub(super) fn feed(
        &self,
        local: &LocalLoop,
        key: Key,
        handler: &mut Box<dyn Handler>,
        data: &mut [u8],
    ) -> Fed {
        if self.is_tunnelling(key) {
            return self.feed_tunnel(local, key, handler, data);
        }
        #[cfg(feature = "tls")]
        if self.is_secured(key) {
            return self.feed_tls(local, key, handler, data);
        }
        self.deliver(local, key, handler, data)
    }

    /// Hands plain bytes to the handler; discards them once the connection is finishing.
    pub(super) fn deliver(
        &self,
        local: &LocalLoop,
        key: Key,
        handler: &mut Box<dyn Handler>,
        data: &mut [u8],
    ) -> Fed {
        let life = self.slots.borrow().get(key).map(|slot| slot.life);
        match life {
            Some(life) if life.is_up() => {
                let conn = Conn::new(local, key);
                self.guarded(handler, &conn, |handler, conn| handler.on_data(conn, data));
                self.fed(key)
            }
            Some(life) if !life.is_closed() => Fed::More,
            _ => Fed::Stop,
        }
    }

    /// Whether to go on reading.
    pub(super) fn fed(&self, key: Key) -> Fed {
        match self.slots.borrow().get(key) {
            Some(slot) if !slot.life.is_closed() => Fed::More,
            _ => Fed::Stop,
        }
    }

    /// The peer ended its side.
    fn peer_ended(&self, local: &LocalLoop, key: Key, handler: &mut Box<dyn Handler>) {
        let (life, truncated) = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => {
                slot.read_closed = true;
                (slot.life, slot.is_truncated())
            }
            None => return,
        };
        match life {
            // It may still read: what was accepted goes out.
            Lifecycle::Opening | Lifecycle::Open if truncated => {
                self.finish_connection(key, CloseReason::Truncated, false);
            }
            Lifecycle::Opening | Lifecycle::Open => {
                let conn = Conn::new(local, key);
                self.guarded(handler, &conn, |handler, conn| handler.on_end(conn));
            }
            // Flushing goes on: the peer may still read. The flush ends it.
            Lifecycle::Flushing => self.mark_dirty(key),
            Lifecycle::Lingering => self.end_in_order(key),
            Lifecycle::Tunnelling => {
                let refusal = self.tunnel_refusal(key);
                let ended = || CloseReason::Proxy(ProxyError::Ended);
                self.begin_close(key, refusal.unwrap_or_else(ended));
            }
            Lifecycle::Securing => self.begin_close(key, CloseReason::Truncated),
            Lifecycle::Resolving | Lifecycle::Connecting | Lifecycle::Closed => {}
        }
    }

    /// The reason that stands whatever the transport does: what came in was wrong, or a proxy had
    /// refused; or the peer agreed to the end, and all that was accepted is written.
    pub(crate) fn settled_reason(&self, key: Key) -> Option<CloseReason> {
        if self.is_tunnelling(key) {
            return self.tunnel_refusal(key);
        }
        let slots = self.slots.borrow();
        let slot = slots.get(key)?;
        let settled = slot.settled && slot.life == Lifecycle::Lingering;
        if !settled && !slot.failed {
            return None;
        }
        slot.end_reason.as_deref().cloned()
    }
}
