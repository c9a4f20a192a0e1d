//! A server's connection as users hold it, on any thread.

use super::encoded::Encoded;
use super::topics::Topics;
use crate::deflate::DeflateParams;
use crate::events::{Initiator, Message};
use crate::protocol::{Role, outgoing_close_code};
use crate::websocket::{
    CloseError, Outgoing, Owner, PingError, WebSocket, handle_methods, post_message,
};
use hvloop_event::conn::{Conn, SendBudget};
use hvloop_event::log;
use hvloop_event::{
    Address, AttachmentId, ChannelId, CloseReason, EventLoop, LocalLoop, SendError, UserData,
    fd_methods, user_data_methods,
};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

/// A connection of a [`WebSocketServer`](super::WebSocketServer): a handle that may be cloned, kept
/// and used on any thread. When the connection has ended, its calls say so; they never reach another
/// one.
///
/// libhv: `hv::WebSocketChannel`.
#[derive(Clone)]
pub struct WebSocketChannel {
    shared: Arc<ChannelShared>,
}

/// Where a server's connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelState {
    /// Messages go both ways.
    Open,
    /// The close handshake is under way.
    Closing,
    /// It has ended.
    Closed,
}

struct ChannelShared {
    id: ChannelId,
    event_loop: EventLoop,
    websocket: AttachmentId,
    state: AtomicU8,
    budget: Arc<SendBudget>,
    peer: Option<Address>,
    local: Option<Address>,
    /// Apart: most agree on nothing.
    agreed: Option<Box<Agreed>>,
    topics: Weak<Topics<WebSocketChannel>>,
    user_data: UserData,
    #[cfg(all(unix, not(hvloop_sim)))]
    fd: Option<std::os::fd::RawFd>,
}

/// What the upgrade agreed on.
#[derive(Default, PartialEq)]
pub(super) struct Agreed {
    pub(super) subprotocol: Option<String>,
    pub(super) deflate: Option<DeflateParams>,
    pub(super) alpn: Option<Box<[u8]>>,
}

const OPEN: u8 = 0;
const CLOSING: u8 = 1;
const CLOSED: u8 = 2;

impl Owner for ChannelShared {
    fn closing(&self) {
        self.state.store(CLOSING, Ordering::Release);
    }
}

impl WebSocketChannel {
    /// The handle of a connection that is about to open, whose websocket is on the loop by that id.
    pub(super) fn new(
        conn: &Conn<'_>,
        (websocket, id): (&WebSocket, AttachmentId),
        agreed: Agreed,
        topics: &Arc<Topics<WebSocketChannel>>,
    ) -> Self {
        let channel = Self {
            shared: Arc::new(ChannelShared {
                id: ChannelId::next(),
                event_loop: conn.local().event_loop(),
                websocket: id,
                state: AtomicU8::new(OPEN),
                // Gone only with the connection, which is there.
                budget: conn
                    .budget()
                    .unwrap_or_else(|| Arc::new(SendBudget::new(0))),
                peer: conn.peer(),
                local: conn.local_address(),
                agreed: (agreed != Agreed::default()).then(|| Box::new(agreed)),
                topics: Arc::downgrade(topics),
                user_data: UserData::default(),
                #[cfg(all(unix, not(hvloop_sim)))]
                fd: conn.fd(),
            }),
        };
        websocket.set_owner(channel.shared.clone());
        channel
    }

    /// Its connection has ended.
    pub(super) fn mark_closed(&self) {
        self.shared.state.store(CLOSED, Ordering::Release);
    }

    pub(super) fn websocket_id(&self) -> AttachmentId {
        self.shared.websocket
    }

    pub(super) fn find_websocket(&self, local: &LocalLoop) -> Option<Rc<WebSocket>> {
        local.attachment(self.shared.websocket)
    }

    handle_methods!();

    fn send_outgoing(&self, message: Outgoing<'_>) -> Result<(), SendError> {
        if !self.is_connected() {
            return Err(SendError::NotOpen);
        }
        if let Some(local) = self.shared.event_loop.local() {
            let websocket = self.find_websocket(&local).ok_or(SendError::NotOpen)?;
            return websocket.send(&local, message);
        }
        let id = self.shared.websocket;
        let queue = move |local: &LocalLoop, message: Outgoing<'_>| {
            let websocket = local.attachment::<WebSocket>(id);
            websocket.is_some_and(|websocket| websocket.send_reserved(local, message))
        };
        let ChannelShared {
            event_loop, budget, ..
        } = &*self.shared;
        let sent = post_message(event_loop, budget, Role::Server, message, queue);
        sent.inspect_err(|e| self.refused(*e))
    }

    /// Closes: sends a Close frame with `code` and `reason` (cut to 123 bytes) behind what is queued,
    /// waits for the peer's, and closes the socket; `on_close` tells when that is done. Any thread,
    /// any number of times; never blocks.
    ///
    /// With 1005, 1006 and 1015, which never are sent, the Close has no code and no reason. So a relay may
    /// hand on what it was told.
    ///
    /// # Errors
    ///
    /// `code` may not be sent by an application: it is below 1000, 1004, from 1016 to 2999, or above
    /// 4999. Nothing was done then.
    ///
    /// libhv: `WebSocketChannel::close`.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        let code = outgoing_close_code(code).ok_or(CloseError::BadCode(code))?;
        let reason = reason.to_owned();
        self.on_websocket(move |websocket, local| {
            websocket.finish(local, code, &reason, Initiator::Local, CloseReason::Local);
        });
        Ok(())
    }

    /// The server stops.
    pub(super) fn go_away(&self) {
        self.on_websocket(|websocket, local| {
            websocket.finish(local, 1001, "", Initiator::Local, CloseReason::Local);
        });
    }

    /// A send was refused, maybe for want of room.
    pub(super) fn refused(&self, error: SendError) {
        if matches!(error, SendError::QueueFull { .. }) {
            self.on_websocket(move |websocket, local| websocket.refused(local, error));
        }
    }

    /// Ends the connection at the end of this turn, with no Close frame and without writing out what
    /// is queued: the peer sees 1006. Any thread.
    pub fn close_now(&self) {
        self.on_websocket(|websocket, local| websocket.abort(local));
    }

    /// Runs `f` on the websocket: at once inside a callback of the loop, else posted to it.
    fn on_websocket(&self, f: impl FnOnce(&Rc<WebSocket>, &LocalLoop) + Send + 'static) {
        let id = self.shared.websocket;
        let run = move |local: &LocalLoop| {
            if let Some(websocket) = local.attachment::<WebSocket>(id) {
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
        match self.shared.state.load(Ordering::Acquire) {
            OPEN => ChannelState::Open,
            CLOSING => ChannelState::Closing,
            _ => ChannelState::Closed,
        }
    }

    /// Whether the connection is open.
    ///
    /// libhv: `Channel::isConnected`.
    pub fn is_connected(&self) -> bool {
        self.state() == ChannelState::Open
    }

    /// Bytes accepted for sending, frame headers included, that the socket has not taken yet.
    ///
    /// libhv: `Channel::writeBufsize`.
    pub fn buffered_amount(&self) -> usize {
        self.shared.budget.queued()
    }

    /// The subprotocol that the upgrade chose.
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.agreed.as_ref()?.subprotocol.as_deref()
    }

    /// What the upgrade agreed on for permessage-deflate, if it did.
    pub fn deflate(&self) -> Option<DeflateParams> {
        self.shared.agreed.as_ref()?.deflate
    }

    /// The application protocol that TLS agreed on (ALPN); `None`: no TLS, or
    /// [`TlsServerConfigBuilder::alpn`](hvloop_event::tls::TlsServerConfigBuilder::alpn) names none, which is
    /// the default: then every client is served, whatever it offers. A server that names some should
    /// name `http/1.1` alone.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.shared.agreed.as_ref()?.alpn.as_deref()
    }

    /// The peer's IP address and port; `None` of a Unix socket.
    ///
    /// libhv: `Channel::peeraddr`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.peer.as_ref()?.inet()
    }

    /// The peer's address, which may be that of a Unix socket.
    pub fn peer(&self) -> Option<&Address> {
        self.shared.peer.as_ref()
    }

    /// This side's address, which may be that of a Unix socket.
    ///
    /// libhv: `Channel::localaddr`.
    pub fn local(&self) -> Option<&Address> {
        self.shared.local.as_ref()
    }

    /// The loop that serves it.
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

    /// Who is subscribed to a topic but this connection.
    pub(super) fn other_subscribers(&self, topic: &str) -> Vec<Self> {
        let topics = self.shared.topics.upgrade();
        let mut channels = topics.map_or_else(Vec::new, |topics| topics.subscribers(topic));
        channels.retain(|channel| channel != self);
        channels
    }

    /// The window, in bits, to which messages are compressed that many connections get; `None`: none are.
    pub(super) fn window(&self) -> Option<u8> {
        Some(self.deflate()?.server_max_window_bits)
    }

    /// Subscribes the connection to a topic: it gets what is published there from now on, until it
    /// [unsubscribes](WebSocketChannel::unsubscribe) or ends. Any thread; again is as good as once.
    /// `false`: it is closing, or has ended.
    ///
    /// A topic is any text, compared as it is; it comes into being with its first subscriber and goes
    /// with its last. If peers name the topics, limit how many one may have.
    pub fn subscribe(&self, topic: &str) -> bool {
        let topics = self.shared.topics.upgrade();
        topics
            .is_some_and(|topics| topics.subscribe(self.id(), self, || self.is_connected(), topic))
    }

    /// Ends a subscription. Any thread. `false`: there was none.
    pub fn unsubscribe(&self, topic: &str) -> bool {
        let topics = self.shared.topics.upgrade();
        topics.is_some_and(|topics| topics.unsubscribe(self.id(), topic))
    }

    /// Whether the connection is subscribed to that topic.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        let topics = self.shared.topics.upgrade();
        topics.is_some_and(|topics| topics.is_subscribed(self.id(), topic))
    }

    /// The topics that the connection is subscribed to, in no order.
    pub fn topics(&self) -> Vec<String> {
        let topics = self.shared.topics.upgrade();
        topics.map_or_else(Vec::new, |topics| topics.of(self.id()))
    }

    /// Takes room for bytes that are to be queued by [`send_encoded`](Self::send_encoded).
    pub(super) fn reserve(&self, size: usize) -> Result<(), SendError> {
        match self.is_connected() {
            true => self.shared.budget.reserve(size),
            false => Err(SendError::NotOpen),
        }
    }

    pub(super) fn release(&self, size: usize) {
        self.shared.budget.release(size);
    }

    /// Queues a whole frame that other queues hold, too, and for which room was taken.
    pub(super) fn send_encoded(&self, local: &LocalLoop, encoded: &Encoded) -> bool {
        let (frame, compressed) = encoded.for_window(self.window());
        let websocket = self.find_websocket(local);
        let sent =
            websocket.is_some_and(|websocket| websocket.send_encoded(local, frame, compressed));
        if !sent {
            self.release(frame.len());
        }
        sent
    }
}

impl PartialEq for WebSocketChannel {
    fn eq(&self, other: &Self) -> bool {
        self.shared.id == other.shared.id
    }
}

impl Eq for WebSocketChannel {}

hvloop_event::debug_fields!(WebSocketChannel, this: "id" = this.shared.id, "state" = this.state());
