//! Connections as protocols built on the loop see them: [`Handler`] in, [`Conn`] out.
//!
//! [`TcpClient`](crate::TcpClient) is built on this, and so is the WebSocket client of `hvloop-ws`.

use crate::core::slots::Key;
use crate::core::{Deferred, LoopCore};
use crate::error::{CloseReason, SendError};
pub use crate::io::budget::SendBudget;
use crate::local_loop::LocalLoop;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Queued bytes over which a connection is flushed at once instead of at the end of the turn.
const FLUSH_EARLY: usize = 64 * 1024;

/// Names a connection of one loop. Never names another one, also when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnId(pub(crate) Key);

/// What a connection tells the protocol above it. Every call comes from the loop's own frame, on
/// its thread, never from inside a call of [`Conn`] or [`LocalLoop`].
///
/// Order: `on_up` at most once, then `on_data`, `on_low_water`, `on_end` and `on_stop`, then
/// `on_close` exactly once, also for a connection that never came up.
pub trait Handler {
    /// The transport is up (TCP, and TLS if asked for). The connection's deadline goes on until
    /// [`Conn::opened`].
    fn on_up(&mut self, conn: &Conn<'_>);

    /// Bytes came in, in the loop's own buffer: change them in place if that helps, copy what must
    /// outlive the call.
    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]);

    /// The send queue has fallen to the low mark of [`Conn::set_water_marks`].
    fn on_low_water(&mut self, conn: &Conn<'_>) {
        let _ = conn;
    }

    /// The peer ended its side in order. Default: finish this side too.
    fn on_end(&mut self, conn: &Conn<'_>) {
        conn.finish(CloseReason::Peer);
    }

    /// The loop is stopping: finish. Default: write out what was accepted, then close. Not called
    /// for a connection that is not up yet; that one is closed.
    fn on_stop(&mut self, conn: &Conn<'_>) {
        conn.finish(CloseReason::Stopped);
    }

    /// This handler panicked. Default: close at once.
    fn on_panic(&mut self, conn: &Conn<'_>) {
        conn.close_now(CloseReason::Panicked);
    }

    /// The connection has ended and its file descriptor is closed. The addresses can still be
    /// asked for.
    fn on_close(self: Box<Self>, conn: &Conn<'_>, reason: CloseReason);
}

/// Where to connect to, and how. For [`LocalLoop::connect`].
#[derive(Clone)]
#[must_use]
pub struct Connect {
    pub(crate) host: String,
    pub(crate) port: u16,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsClientConfig>,
    pub(crate) deadline: Duration,
    pub(crate) budget: Arc<SendBudget>,
    pub(crate) write_stall: Option<Duration>,
    pub(crate) linger: Duration,
    pub(crate) nodelay: bool,
}

impl Connect {
    /// The default limit of a connection's send queue: 16 MiB.
    pub const DEFAULT_SEND_LIMIT: usize = 16 * 1024 * 1024;

    /// To `host` (a name, or an IP address without brackets) at `port`. Defaults: no TLS, 10 s to
    /// open, 16 MiB send queue, 30 s of write stall, 5 s of linger, TCP_NODELAY on.
    pub fn to(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            #[cfg(feature = "tls")]
            tls: None,
            deadline: Duration::from_secs(10),
            budget: Arc::new(SendBudget::new(Self::DEFAULT_SEND_LIMIT)),
            write_stall: Some(Duration::from_secs(30)),
            linger: Duration::from_secs(5),
            nodelay: true,
        }
    }

    /// Speak TLS.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, config: crate::tls::TlsClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// The one deadline over DNS, connect, TLS and the handshake of the protocol above, until
    /// [`Conn::opened`]. Default 10 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The account of the send queue; may be shared with handles.
    pub fn budget(mut self, budget: Arc<SendBudget>) -> Self {
        self.budget = budget;
        self
    }

    /// Close when the peer takes nothing of the queue for this long; `None`: never. Default 30 s.
    pub fn write_stall(mut self, limit: Option<Duration>) -> Self {
        self.write_stall = limit;
        self
    }

    /// How long a finishing connection may take before it is closed by force. Default 5 s.
    pub fn linger(mut self, limit: Duration) -> Self {
        self.linger = limit;
        self
    }

    /// TCP_NODELAY. Default on; the loop writes once a turn anyway.
    pub fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

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
        let there = {
            let slots = local.core().slots.borrow();
            slots.get(id.0).is_some_and(|slot| !slot.life.is_closed())
        };
        there.then_some(Self { local, key: id.0 })
    }

    fn core(&self) -> &'a LoopCore {
        self.local.core()
    }

    /// Its name.
    pub fn id(&self) -> ConnId {
        ConnId(self.key)
    }

    /// Its loop.
    pub fn local(&self) -> &'a LocalLoop {
        self.local
    }

    /// The peer's address, once connected; also in `on_close`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.core().slots.borrow().get(self.key)?.peer
    }

    /// This side's address, once connected; also in `on_close`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.core().slots.borrow().get(self.key)?.local
    }

    /// The application protocol that TLS agreed on (ALPN).
    #[cfg(feature = "tls")]
    pub fn alpn(&self) -> Option<Vec<u8>> {
        let slots = self.core().slots.borrow();
        slots.get(self.key)?.tls.as_ref()?.alpn()
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
        slot.map_or_else(|| self.core().now(), |slot| slot.last_progress)
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
            let slot = slots.get(self.key).filter(|slot| slot.life.is_up());
            slot.ok_or(SendError::NotOpen)?.budget.reserve(size)?;
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
            slot.budget.add(size);
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
            if !slot.life.is_up() {
                slot.budget.release(size);
                return Err(SendError::NotOpen);
            }
            if slot.unsent() == 0 {
                slot.last_progress = core.now();
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
            unsent > FLUSH_EARLY
        };
        if early {
            core.flush(self.key);
        }
        core.mark_dirty(self.key);
        Ok(())
    }

    /// Sets the marks of the send queue: [`Handler::on_low_water`] is called each time the queue,
    /// having held more than `high` bytes, has fallen to `low` or less. Both in bytes; off at first.
    pub fn set_water_marks(&self, low: usize, high: usize) {
        if let Some(slot) = self.core().slots.borrow_mut().get_mut(self.key) {
            slot.water_marks = Some((low, high));
        }
    }

    /// Asks for one [`Handler::on_low_water`] although the high mark was not passed, as after a
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

    /// Ends the connection in order: writes out what was accepted, ends TLS (`close_notify`), shuts
    /// the write side, waits for the peer's end, and closes; by force if that takes longer than
    /// [`Connect::linger`]. What comes in meanwhile is discarded. A connection that is not up is
    /// closed at once. Only the first call counts.
    pub fn finish(&self, reason: CloseReason) {
        self.core().finish_connection(self.key, reason, false);
    }

    /// Like [`finish`](Conn::finish), for when the peer has agreed to the end: once all that was
    /// accepted is written, `reason` is what `on_close` is told, whatever happens to the transport.
    pub fn finish_agreed(&self, reason: CloseReason) {
        self.core().finish_connection(self.key, reason, true);
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
