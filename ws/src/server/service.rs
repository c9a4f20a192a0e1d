//! What a server does with its connections: callbacks and options, by path.

use super::channel::WebSocketChannel;
use super::options::ServiceOptions;
use crate::events::{CloseEvent, Message};
use crate::handshake::{Accept, HttpRequest, HttpResponse};

type OnUpgrade = Box<dyn Fn(&HttpRequest) -> Result<Accept, HttpResponse> + Send + Sync>;
type CheckOrigin = Box<dyn Fn(Option<&str>) -> bool + Send + Sync>;
type OnOpen = Box<dyn Fn(&WebSocketChannel, &HttpRequest) + Send + Sync>;
type OnMessage = Box<dyn Fn(&WebSocketChannel, Message<'_>) + Send + Sync>;
type OnDrain = Box<dyn Fn(&WebSocketChannel) + Send + Sync>;
type OnClose = Box<dyn Fn(&WebSocketChannel, &CloseEvent) + Send + Sync>;

/// What is done with the connections of one path: callbacks, and [`ServiceOptions`].
///
/// Each connection's callbacks run on the thread of its loop, one after the other; with several loops
/// several connections' run at the same time: hence `Fn` and `Sync`. They live as long as the server
/// and its connections.
///
/// ```
/// use hvloop_ws::{Message, WebSocketService};
///
/// let echo = WebSocketService::new().on_message(|channel, message| {
///     if let Err(e) = channel.send(message) {
///         eprintln!("{e}");
///     }
/// });
/// ```
///
/// libhv: `hv::WebSocketService`.
#[derive(Default)]
#[must_use]
pub struct WebSocketService {
    pub(super) options: ServiceOptions,
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) check_origin: Option<CheckOrigin>,
    pub(super) open: Option<OnOpen>,
    pub(super) message: Option<OnMessage>,
    pub(super) drain: Option<OnDrain>,
    pub(super) close: Option<OnClose>,
}

impl WebSocketService {
    /// Accepts every upgrade and does nothing with the connections, until callbacks are set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the options.
    pub fn options(mut self, options: ServiceOptions) -> Self {
        self.options = options;
        self
    }

    /// Called with a proper request for an upgrade: accepts it, with headers and a subprotocol of
    /// those offered, or refuses it with an answer. By default each is accepted, with no subprotocol.
    /// If it panics, the answer is 500.
    ///
    /// libhv: `HttpService::middleware`, `headerHandler`.
    pub fn on_upgrade(
        mut self,
        f: impl Fn(&HttpRequest) -> Result<Accept, HttpResponse> + Send + Sync + 'static,
    ) -> Self {
        self.upgrade = Some(Box::new(f));
        self
    }

    /// Called before `on_upgrade` with the Origin header, which browsers send and others do not have
    /// to (`None`, or given twice). `false`: the answer is 403. By default all are let in: a service
    /// that trusts cookies has to check (RFC 6455 section 10.2).
    pub fn check_origin(
        mut self,
        f: impl Fn(Option<&str>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.check_origin = Some(Box::new(f));
        self
    }

    /// Called when a connection is a WebSocket, with the request that made it one.
    ///
    /// libhv: `WebSocketService::onopen`.
    pub fn on_open(
        mut self,
        f: impl Fn(&WebSocketChannel, &HttpRequest) + Send + Sync + 'static,
    ) -> Self {
        self.open = Some(Box::new(f));
        self
    }

    /// Called with each message, whole.
    ///
    /// libhv: `WebSocketService::onmessage`.
    pub fn on_message(
        mut self,
        f: impl Fn(&WebSocketChannel, Message<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.message = Some(Box::new(f));
        self
    }

    /// Called when a connection's send queue, having been over half of its limit or having refused a
    /// message, has fallen to a quarter.
    pub fn on_drain(mut self, f: impl Fn(&WebSocketChannel) + Send + Sync + 'static) -> Self {
        self.drain = Some(Box::new(f));
        self
    }

    /// Called exactly once for each connection that was opened, as the last of its callbacks: it has
    /// ended and its socket is closed.
    ///
    /// libhv: `WebSocketService::onclose`.
    pub fn on_close(
        mut self,
        f: impl Fn(&WebSocketChannel, &CloseEvent) + Send + Sync + 'static,
    ) -> Self {
        self.close = Some(Box::new(f));
        self
    }
}

hvloop_event::debug_fields!(WebSocketService, this: "options" = this.options);
