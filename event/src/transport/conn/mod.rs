//! Connections as protocols built on the loop see them: [`Handler`] in, [`Conn`] out.
//!
//! [`TcpClient`](crate::TcpClient) and [`TcpServer`](crate::TcpServer) are built on this, and so is
//! the WebSocket client of `hvloop-ws`.

mod connect;
mod listen;
mod listen_error;

pub use self::{
    connect::Connect,
    listen::{Listen, ListenerId, Listening},
    listen_error::{ListenError, ListenErrorKind},
};
pub use crate::listener_set::{ListenerSet, MakeHandler, Ticket};
pub use crate::transport::{
    budget::SendBudget, connection::Conn, detached::Transport, listener::Acceptor,
};
pub(crate) use connect::Target;

use crate::core::slots::OwnKey;
use crate::error::{CloseReason, LoopClosed};

/// Names a connection of one loop. Never names another one, also when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnId(pub(crate) OwnKey);

/// What [`LocalLoop::adopt`](crate::LocalLoop::adopt) gives back when the loop takes nothing more.
pub type AdoptError = LoopClosed<(Transport, Box<dyn Handler>)>;

/// What a connection tells the protocol above it. Every call comes from the loop's own frame, on
/// its thread, never from inside a call of [`Conn`] or [`LocalLoop`](crate::LocalLoop).
///
/// Order: `on_up` at most once, then `on_data`, `on_low_water`, `on_sent`, `on_end` and `on_stop`, then
/// `on_close` exactly once, also for a connection that never came up.
pub trait Handler {
    /// The transport is up (TCP, and TLS if asked for). The connection's `open_timeout` goes on until
    /// [`Conn::opened`].
    fn on_up(&mut self, conn: &Conn<'_>);

    /// The time for this protocol to open is over, and it is not open: end the connection, or give it
    /// [more time](Conn::restart_open_timeout). Default: [`Conn::open_timed_out`].
    fn on_open_timeout(&mut self, conn: &Conn<'_>) {
        conn.open_timed_out();
    }

    /// Bytes came in, in the loop's own buffer: change them in place if that helps, copy what must
    /// outlive the call.
    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]);

    /// Where the handler wants the next bytes that come, up to its length: the rest of something long, which
    /// need not be copied then. `None`, as by default: they come in [`on_data`](Handler::on_data). Asked
    /// before each read of a connection without TLS; must not panic.
    fn room(&mut self, conn: &Conn<'_>) -> Option<&mut [u8]> {
        let _ = conn;
        None
    }

    /// The first `size` bytes of what [`room`](Handler::room) gave are what came.
    fn on_room_filled(&mut self, conn: &Conn<'_>, size: usize) {
        let _ = (conn, size);
    }

    /// The send queue has fallen to the low mark of [`Conn::set_water_marks`].
    fn on_low_water(&mut self, conn: &Conn<'_>) {
        let _ = conn;
    }

    /// The socket has taken what was queued when [`Conn::notify_sent`] was called.
    fn on_sent(&mut self, conn: &Conn<'_>) {
        let _ = conn;
    }

    /// Asked for by [`Conn::call_handler`] or [`Conn::read_later`].
    fn on_call(&mut self, conn: &Conn<'_>) {
        let _ = conn;
    }

    /// The peer ended its side in order: nothing more comes. Default:
    /// [`end_with_peer`](Conn::end_with_peer).
    fn on_end(&mut self, conn: &Conn<'_>) {
        conn.end_with_peer();
    }

    /// The loop is stopping: finish. Default: write out what was accepted, then close. Not called
    /// for a connection that is not up yet; that one is closed.
    fn on_stop(&mut self, conn: &Conn<'_>) {
        conn.finish(CloseReason::Stopped);
    }

    /// How many bytes are to come, as far as is known, until what was [gathered](Conn::set_gathered) can be handed
    /// on. Asked where [reading pauses](crate::OnMemoryLimit::PauseReading), for which connection it does not;
    /// must not panic. Default: that is not known.
    fn missing(&self) -> Option<usize> {
        None
    }

    /// The connection was [held up](Conn::is_held_up), and is read on: the peer is not to blame for what did
    /// not come meanwhile.
    fn on_read_on(&mut self, conn: &Conn<'_>) {
        let _ = conn;
    }

    /// The connections of the loop or the server hold more than `limit` bytes of memory
    /// ([`LoopOptions::memory_limit`](crate::LoopOptions::memory_limit),
    /// [`TcpServer::set_memory_limit`](crate::TcpServer::set_memory_limit)), this one the most: give back what
    /// was gathered, and end it. Default: close at once.
    fn on_memory_limit(&mut self, conn: &Conn<'_>, limit: usize) {
        conn.close_now(CloseReason::MemoryLimit(limit));
    }

    /// This handler panicked. Default: close at once.
    fn on_panic(&mut self, conn: &Conn<'_>) {
        conn.close_now(CloseReason::Panicked);
    }

    /// The connection has left this loop by [`Conn::leave`], and goes on where the transport is
    /// [adopted](crate::LocalLoop::adopt). Called in the place of `on_close`. Default: it ends here.
    fn on_leave(self: Box<Self>, conn: &Conn<'_>, transport: Transport) {
        drop(transport);
        self.on_close(conn, CloseReason::Local);
    }

    /// The connection has ended and its file descriptor is closed. The addresses can still be
    /// asked for.
    fn on_close(self: Box<Self>, conn: &Conn<'_>, reason: CloseReason);
}
