//! A TCP connection as users hold it, on any thread.

use crate::conn::{ConnId, SendBudget};
use crate::error::{CloseReason, SendError};
use crate::event_loop::EventLoop;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A connection of a [`TcpClient`](crate::TcpClient): a handle that may be cloned, kept and used on
/// any thread. When the connection has ended, its calls say so; they never reach another one.
///
/// libhv: `hv::SocketChannel`.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

struct Inner {
    event_loop: EventLoop,
    id: ConnId,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    budget: Arc<SendBudget>,
    open: AtomicBool,
}

impl Channel {
    pub(crate) fn new(
        event_loop: EventLoop,
        id: ConnId,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        budget: Arc<SendBudget>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                event_loop,
                id,
                peer,
                local,
                budget,
                open: AtomicBool::new(true),
            }),
        }
    }

    /// Queues bytes for the peer. On the loop's thread they are copied once and written at the end
    /// of the turn; from another thread they are handed over first.
    ///
    /// # Errors
    ///
    /// Not open, no room in the send queue, or the loop is closed; nothing was taken then. From
    /// another thread the connection may still end before the bytes get there.
    ///
    /// libhv: `Channel::write`.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        if !self.is_connected() {
            return Err(SendError::NotOpen);
        }
        let inner = &self.inner;
        if let Some(local) = inner.event_loop.local() {
            let conn = local.conn(inner.id).ok_or(SendError::NotOpen)?;
            return conn.send(data);
        }
        inner.budget.reserve(data.len())?;
        let id = inner.id;
        let size = data.len();
        let budget = inner.budget.clone();
        let data = data.to_vec();
        inner
            .event_loop
            .post_event(move |local| match local.conn(id) {
                // Refused means: closed meanwhile; `on_close` tells.
                Some(conn) => drop(conn.send_reserved(size, |out| out.extend_from_slice(&data))),
                None => budget.release(size),
            })
            .map_err(|_| {
                inner.budget.release(size);
                SendError::LoopClosed
            })
    }

    /// Ends the connection in order: what was accepted is written first. Any thread, any number of
    /// times; never runs `on_close` in this call.
    ///
    /// libhv: `Channel::close`.
    pub fn close(&self) {
        let id = self.inner.id;
        let closed = self.inner.event_loop.with_local(move |local| {
            if let Some(conn) = local.conn(id) {
                conn.finish(CloseReason::Local);
            }
        });
        if closed.is_err() {
            log::debug!("hvloop: close() after the loop had closed everything");
        }
    }

    /// Whether the connection is open; on another thread it may end at any moment.
    ///
    /// libhv: `SocketChannel::isConnected`.
    pub fn is_connected(&self) -> bool {
        self.inner.open.load(Ordering::Acquire)
    }

    /// Bytes accepted that the socket has not taken yet.
    ///
    /// libhv: `Channel::writeBufsize`.
    pub fn buffered_amount(&self) -> usize {
        self.inner.budget.queued()
    }

    /// The peer's address; stays readable after the end.
    ///
    /// libhv: `SocketChannel::peeraddr`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.peer
    }

    /// This side's address; stays readable after the end.
    ///
    /// libhv: `SocketChannel::localaddr`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.inner.local
    }

    /// The connection's name on its loop.
    ///
    /// libhv: `Channel::id`.
    pub fn id(&self) -> ConnId {
        self.inner.id
    }

    /// The loop that the connection is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.inner.event_loop
    }

    pub(crate) fn mark_closed(&self) {
        self.inner.open.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("peer", &self.inner.peer)
            .field("open", &self.is_connected())
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<Channel>();
};
