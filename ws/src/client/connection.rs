//! One connection of a client, as users hold it, on any thread.

use crate::Message;
use crate::events::Initiator;
use crate::protocol::{Role, outgoing_close_code};
use crate::server::ChannelState;
use crate::websocket::{CloseError, Outgoing, PingError, WebSocket, handle_methods, post_message};
use hvloop_event::conn::{Conn, SendBudget};
use hvloop_event::log;
use hvloop_event::{
    Address, ChannelId, CloseReason, EventLoop, LocalLoop, SendError, UserData, fd_methods,
    user_data_methods,
};
use std::rc::Rc;
use std::sync::Arc;

/// One connection of a [`WebSocketClient`](super::WebSocketClient), from its `on_open` on
/// ([`OpenEvent::connection`](super::OpenEvent::connection)): a handle that may be cloned, kept and used on any
/// thread. When the connection has ended, its calls say so; they never reach a later one of the client. It does
/// not count as one of the client's handles.
///
/// libhv: `WebSocketClient::channel`.
#[derive(Clone)]
pub struct ClientConnection {
    shared: Arc<ConnectionShared>,
}

/// The client whose connections they are.
pub(super) trait Connected: Send + Sync {
    /// Where the connection of that session is.
    fn state_of(&self, session: u64) -> ChannelState;

    /// The account of its send queue.
    fn budget(&self) -> &Arc<SendBudget>;

    /// The connection of that session on its loop, while it is there.
    fn websocket(&self, local: &LocalLoop, session: u64) -> Option<Rc<WebSocket>>;
}

struct ConnectionShared {
    id: ChannelId,
    client: Arc<dyn Connected>,
    /// Its number among all of the client's.
    session: u64,
    event_loop: EventLoop,
    peer: Option<Address>,
    local: Option<Address>,
    user_data: UserData,
    #[cfg(all(unix, not(hvloop_sim)))]
    fd: Option<std::os::fd::RawFd>,
}

impl ClientConnection {
    /// The handle of that session's connection, which is open.
    pub(super) fn new(conn: &Conn<'_>, client: Arc<dyn Connected>, session: u64) -> Self {
        Self {
            shared: Arc::new(ConnectionShared {
                id: ChannelId::next(),
                client,
                session,
                event_loop: conn.local().event_loop(),
                peer: conn.peer(),
                local: conn.local_address(),
                user_data: UserData::default(),
                #[cfg(all(unix, not(hvloop_sim)))]
                fd: conn.fd(),
            }),
        }
    }

    handle_methods!();

    fn send_outgoing(&self, message: Outgoing<'_>) -> Result<(), SendError> {
        let ConnectionShared {
            client,
            session,
            event_loop,
            ..
        } = &*self.shared;
        if !self.is_connected() {
            return Err(SendError::NotOpen);
        }
        match event_loop.local() {
            Some(local) => {
                let websocket = client.websocket(&local, *session);
                websocket.ok_or(SendError::NotOpen)?.send(&local, message)
            }
            None => post(client, *session, event_loop, message),
        }
    }

    /// Closes: sends a Close frame with `code` and `reason` (cut to 123 bytes), waits for the peer's, and closes
    /// the socket; the client's `on_close` tells when that is done. Unlike
    /// [`WebSocketClient::close`](super::WebSocketClient::close) it ends this connection alone: a client that has
    /// a policy for it connects again. Any thread, any number of times; never blocks.
    ///
    /// # Errors
    ///
    /// As `WebSocketClient::close`.
    ///
    /// libhv: `channel->close`.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        let code = outgoing_close_code(code).ok_or(CloseError::BadCode(code))?;
        let reason = reason.to_owned();
        self.on_websocket(move |websocket, local| {
            websocket.finish(local, code, &reason, Initiator::Local, CloseReason::Local);
        });
        Ok(())
    }

    /// Ends the connection at the end of this turn, with no Close frame and without writing out what is queued:
    /// the peer sees 1006. Otherwise as [`close`](Self::close).
    pub fn close_now(&self) {
        self.on_websocket(|websocket, local| websocket.abort(local));
    }

    /// Runs `f` on the websocket: at once inside a callback of the loop, else posted to it.
    fn on_websocket(&self, f: impl FnOnce(&Rc<WebSocket>, &LocalLoop) + Send + 'static) {
        let (client, session) = (self.shared.client.clone(), self.shared.session);
        let run = move |local: &LocalLoop| {
            if let Some(websocket) = client.websocket(local, session) {
                f(&websocket, local);
            }
        };
        if self.shared.event_loop.with_local(run).is_err() {
            log::debug!("hvloop: the loop had closed everything already");
        }
    }

    /// Its name among all of the process.
    ///
    /// libhv: `Channel::id`.
    pub fn id(&self) -> ChannelId {
        self.shared.id
    }

    /// Where it is. On other threads than the loop's it may change any moment.
    pub fn state(&self) -> ChannelState {
        self.shared.client.state_of(self.shared.session)
    }

    /// Whether the connection is open.
    ///
    /// libhv: `Channel::isConnected`.
    pub fn is_connected(&self) -> bool {
        self.state() == ChannelState::Open
    }

    /// Bytes accepted for sending, frame headers included, that the socket has not taken yet; 0 once it has
    /// ended.
    ///
    /// libhv: `Channel::writeBufsize`.
    pub fn buffered_amount(&self) -> usize {
        match self.state() {
            ChannelState::Closed => 0,
            _ => self.shared.client.budget().queued(),
        }
    }

    /// The peer's address, which may be that of a Unix socket; through a proxy, the proxy's.
    ///
    /// libhv: `Channel::peeraddr`.
    pub fn peer(&self) -> Option<&Address> {
        self.shared.peer.as_ref()
    }

    /// This side's address.
    ///
    /// libhv: `Channel::localaddr`.
    pub fn local(&self) -> Option<&Address> {
        self.shared.local.as_ref()
    }

    /// The loop that it is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.shared.event_loop
    }

    user_data_methods!();

    fn user_data(&self) -> &UserData {
        &self.shared.user_data
    }

    fd_methods!();

    #[cfg(all(unix, not(hvloop_sim)))]
    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        self.shared.fd
    }
}

/// Sends on that session's connection, from another thread than its loop's.
pub(super) fn post(
    client: &Arc<dyn Connected>,
    session: u64,
    event_loop: &EventLoop,
    message: Outgoing<'_>,
) -> Result<(), SendError> {
    let to = client.clone();
    let queue = move |local: &LocalLoop, message: Outgoing<'_>| {
        let websocket = to.websocket(local, session);
        websocket.is_some_and(|websocket| websocket.send_reserved(local, message))
    };
    let sent = post_message(event_loop, client.budget(), Role::Client, message, queue);
    if let Err(e @ SendError::QueueFull { .. }) = sent {
        let client = client.clone();
        let tell = move |local: &LocalLoop| {
            if let Some(websocket) = client.websocket(local, session) {
                websocket.refused(local, e);
            }
        };
        if event_loop.post_event(tell).is_err() {
            log::debug!("hvloop: the loop had closed everything already");
        }
    }
    sent
}

impl PartialEq for ClientConnection {
    fn eq(&self, other: &Self) -> bool {
        self.shared.id == other.shared.id
    }
}

impl Eq for ClientConnection {}

hvloop_event::debug_fields!(ClientConnection, this: "id" = this.shared.id, "state" = this.state());
