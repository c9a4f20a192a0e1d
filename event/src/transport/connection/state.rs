//! What the loop keeps of a connection.

use super::outcome::{Flushed, Read};
use super::parts::{Connecting, End, Held, HeldUp, OwnTimers, Reading, Socket, Writing};
use crate::conn::Connect;
use crate::core::account::Account;
use crate::core::buffers::BufferPool;
use crate::core::memory::Memory;
use crate::error::CloseReason;
use crate::log;
use crate::machine::ending::Ending;
use crate::machine::lifecycle::Lifecycle;
use crate::machine::read_side::{ReadSide, ShortReads};
use crate::machine::write_side::WriteSide;
use crate::proxy::Tunnel;
use crate::sys::{Got, Readiness, ShortAddress};
use crate::transport::detached::Transport;
use crate::transport::out_queue::OutQueue;
use crate::transport::settings::ConnSettings;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All of a connection but its handler; borrowed for moments (I4).
pub(crate) struct ConnState {
    pub(crate) life: Lifecycle,
    pub(crate) settings: ConnSettings,
    /// Until there is a stream to the target.
    pub(crate) connecting: Option<Box<Connecting>>,
    pub(crate) socket: Socket,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Box<super::tls_layer::TlsLayer>>,
    /// Bytes for the socket: ciphertext if there is TLS.
    pub(crate) out: OutQueue,
    pub(crate) read: Reading,
    pub(crate) write: Writing,
    /// Apart: most connections are not ending.
    pub(crate) end: Option<Box<End>>,
    /// The protocol above had opened, for the report.
    pub(crate) was_open: bool,
    pub(crate) timers: OwnTimers,
    pub(crate) held: Held,
}

/// Bytes of one connection written in one tick.
const WRITE_BUDGET: usize = 1024 * 1024;

impl ConnState {
    pub(crate) fn new(options: Connect, tunnel: Option<Tunnel>, now: Instant) -> Self {
        let mut state = Self::bare(options.settings.clone(), now);
        state.connecting = Some(Box::new(Connecting {
            options,
            tunnel: tunnel.map(Box::new),
            race: None,
            sockets: Vec::new(),
            lookup: None,
            full: None,
            last_error: None,
        }));
        state
    }

    /// A connection that is there already; it is up once [`Lifecycle::connected`] says so.
    pub(crate) fn adopted(mut transport: Transport, now: Instant) -> Self {
        let parts = &mut *transport.parts;
        let mut state = Self::bare(parts.settings.clone(), now);
        state.life = Lifecycle::Connecting;
        state.socket.stream = parts.stream.take();
        state.socket.peer = parts.peer.take().map(Into::into);
        state.socket.local = parts.local.take();
        state.out = std::mem::take(&mut parts.out);
        state.write.writable = true;
        if parts.read_closed {
            state.read.side.ended();
        }
        #[cfg(feature = "tls")]
        {
            state.tls = parts.tls.take();
        }
        state.write.untold = state.unsent();
        state
    }

    /// One that was never anything, and has ended.
    pub(crate) fn ended(now: Instant) -> Self {
        let mut state = Self::bare(ConnSettings::new(), now);
        state.life = Lifecycle::Closed;
        state
    }

    fn bare(settings: ConnSettings, now: Instant) -> Self {
        Self {
            life: Lifecycle::Resolving,
            settings,
            connecting: None,
            socket: Socket::default(),
            #[cfg(feature = "tls")]
            tls: None,
            out: OutQueue::default(),
            read: Reading {
                side: ReadSide::Blocked(ShortReads::TellAll),
                paused: false,
                held_up: HeldUp::No,
                behind: false,
                last: now,
            },
            write: Writing {
                side: WriteSide::Open,
                writable: false,
                marks: (0, usize::MAX),
                above_high: false,
                untold: 0,
                ahead: 0,
                progress: now,
            },
            end: None,
            was_open: false,
            timers: OwnTimers::default(),
            held: Held::default(),
        }
    }

    /// How long the queue may stand, and what it is called then. One that is finishing has to end: where
    /// nothing limits the queue, the time for the peer's end does.
    pub(crate) fn stall_limit(&self) -> Option<(Duration, CloseReason)> {
        match self.settings.stall_limit() {
            Some(limit) => Some((limit, CloseReason::WriteTimedOut(limit))),
            None if self.life == Lifecycle::Flushing => {
                Some((self.settings.close_timeout, CloseReason::Forced))
            }
            None => None,
        }
    }

    /// How it ends, from now on.
    pub(crate) fn end_mut(&mut self) -> &mut End {
        self.end.get_or_insert_with(|| {
            Box::new(End {
                ending: Ending::NotYet,
                may_discard: Some(0),
                lost: 0,
            })
        })
    }

    /// Bytes accepted that nobody will send, once it is closed.
    pub(crate) fn lost(&self) -> usize {
        self.end.as_ref().map_or(0, |end| end.lost)
    }

    /// The reason of an end in order.
    pub(crate) fn end_reason(&self) -> Option<&CloseReason> {
        self.end.as_ref()?.ending.reason()
    }

    /// Takes note of what the poller said.
    pub(crate) fn note(&mut self, event: &Readiness) {
        let urgent = event.urgent;
        self.read.side.told(event.readable, event.hangup, urgent);
        self.write.writable |= event.writable;
    }

    /// Whether it may be sent to.
    pub(crate) fn takes_data(&self) -> bool {
        self.life.is_up() && self.write.side == WriteSide::Open
    }

    /// Whether there may be something for the handler.
    pub(crate) fn has_something(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.as_ref().is_some_and(|tls| tls.end_waits()) {
            return true;
        }
        self.read.side.is_ready()
    }

    /// Whether what comes in is left where it is: the user reads no further, or all of its server hold too much. A connection that is
    /// finishing reads all the same, and discards, until it is flooded.
    pub(crate) fn holds_back(&self) -> bool {
        match self.life.is_up() {
            true => self.read.paused || self.read.held_up == HeldUp::Yes,
            false => self.is_flooded(),
        }
    }

    /// Reads once, as far as readiness goes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Read {
        if !self.read.side.is_ready() {
            return Read::Blocked;
        }
        let Some(stream) = self.socket.stream.as_mut() else {
            return Read::Blocked;
        };
        loop {
            match stream.read(buffer) {
                Ok(Got { bytes: 0, .. }) => {
                    self.read.side.ended();
                    return Read::End;
                }
                Ok(got) => {
                    self.read.side.read(got.more);
                    return Read::Data(got.bytes);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.read.side.blocked();
                    return Read::Blocked;
                }
                Err(e) => {
                    self.read.side.ended();
                    return Read::Failed(e);
                }
            }
        }
    }

    /// Bytes accepted for this connection that the socket has not taken.
    pub(crate) fn unsent(&self) -> usize {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.unsent();
        }
        self.out.len()
    }

    /// Whether anything waits for the socket, handshake and alert bytes of TLS included.
    pub(crate) fn wants_write(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
            return true;
        }
        !self.out.is_empty()
    }

    /// Whether the queue has just fallen to its low mark; once per passing of the high one.
    pub(crate) fn fell_low(&mut self) -> bool {
        let low = self.write.marks.0;
        let fell = self.write.above_high && self.unsent() <= low;
        self.write.above_high &= !fell;
        fell
    }

    /// Whether it is at its low mark now, when that is to be told; if not, it is told when it falls there again.
    pub(crate) fn is_still_low(&mut self) -> bool {
        let is_low = self.unsent() <= self.write.marks.0;
        self.write.above_high |= !is_low;
        is_low
    }

    /// The socket took so many bytes of the queue. Whether those that the handler waits for were among
    /// them; once for each time that it asks.
    pub(crate) fn took(&mut self, bytes: usize) -> bool {
        let waits = self.write.ahead > 0;
        self.write.ahead = self.write.ahead.saturating_sub(bytes);
        waits && self.write.ahead == 0
    }

    /// Counts what the connection holds now.
    pub(crate) fn charge(&mut self, account: &Memory) {
        let now = self.memory();
        let held = &mut self.held;
        account.charge(held.share.as_ref(), &mut held.charged, now);
    }

    /// Bytes of memory that are this connection's own: its queues, and what was gathered.
    pub(crate) fn memory(&self) -> usize {
        self.queues().map(OutQueue::memory).sum::<usize>() + self.held.gathered
    }

    /// Whether all of its server hold so much that it may have to wait before it is read.
    pub(crate) fn is_tight(&self) -> bool {
        self.held.share.as_ref().is_some_and(|s| s.is_tight())
    }

    /// Bytes that it has on that account.
    pub(crate) fn held_for(&self, account: &Arc<Account>) -> usize {
        let share = self.held.share.as_ref();
        let counts = share.is_some_and(|share| share.is_of(account));
        if counts { self.held.charged } else { 0 }
    }

    /// Bytes that would be there without this connection, but for what others hold, too.
    pub(crate) fn greed(&self) -> usize {
        self.held.charged + self.queues().map(OutQueue::shared_len).sum::<usize>()
    }

    /// What is queued for the socket, and for TLS.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &OutQueue> {
        #[cfg(feature = "tls")]
        let plain = self.tls.as_ref().map(|tls| tls.plain_queue());
        #[cfg(not(feature = "tls"))]
        let plain = None;
        std::iter::once(&self.out).chain(plain)
    }

    /// Forgets what was not sent; the account is the caller's to settle.
    pub(crate) fn clear_queues(&mut self, pool: &BufferPool) {
        self.out.clear(pool);
        #[cfg(feature = "tls")]
        self.clear_tls_queue(pool);
    }

    /// The queue of what the protocol above sends.
    pub(crate) fn queue(&mut self) -> &mut OutQueue {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.as_mut() {
            return tls.queue();
        }
        &mut self.out
    }

    /// Encrypts if there is TLS, and writes, until all is out or the socket takes no more.
    pub(crate) fn write_out(&mut self, pool: &BufferPool, written: &mut usize) -> Flushed {
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
        let Some(stream) = self.socket.stream.as_mut() else {
            return Flushed::Blocked;
        };
        while !self.out.is_empty() {
            if !self.write.writable {
                return Flushed::Blocked;
            }
            if *written >= WRITE_BUDGET {
                return Flushed::Budget;
            }
            match stream.write(self.out.next(scratch)) {
                Ok(n) => {
                    *written += n;
                    self.out.consume(n, pool);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.write.writable = false,
                Err(e) => return Flushed::Failed(e),
            }
        }
        Flushed::All
    }

    /// Writes two pieces, one behind the other, as far as the socket takes them; and why it failed.
    pub(super) fn write_parts(
        &mut self,
        mut head: &[u8],
        mut body: &[u8],
    ) -> (usize, Option<io::Error>) {
        let size = head.len() + body.len();
        let Some(stream) = self.socket.stream.as_mut() else {
            return (0, None);
        };
        while self.write.writable && !(head.is_empty() && body.is_empty()) {
            match stream.write_parts(head, body) {
                Ok(n) => {
                    let in_head = n.min(head.len());
                    (head, body) = (&head[in_head..], &body[n - in_head..]);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.write.writable = false,
                Err(e) => return (size - head.len() - body.len(), Some(e)),
            }
        }
        (size - head.len() - body.len(), None)
    }

    /// Ends the writing side of the socket; where `closes`, its close does that at once.
    pub(super) fn end_write_side(&mut self, closes: bool) {
        if !self.write.side.shut() || closes {
            return;
        }
        if let Some(Err(e)) = self
            .socket
            .stream
            .as_ref()
            .map(|stream| stream.shutdown_write())
        {
            // Usually: the peer is gone already.
            log::debug!("hvloop: shutdown: {e}");
        }
    }

    /// How the report names it.
    pub(crate) fn describe(&self) -> String {
        let state = self.life;
        let peer = self.socket.peer.as_ref().map(ShortAddress::get);
        match (peer, &self.connecting) {
            (Some(peer), _) if self.unsent() > 0 => {
                let unsent = self.unsent();
                format!("connection to {peer} ({state:?}, {unsent} bytes unsent)")
            }
            (Some(peer), _) => format!("connection to {peer} ({state:?})"),
            (None, Some(c)) => format!("connect to {} ({state:?})", c.options.target),
            (None, None) => format!("connection ({state:?})"),
        }
    }
}
