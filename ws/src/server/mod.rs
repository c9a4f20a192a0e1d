//! The WebSocket server.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | the server: what users call, on any thread |
//! | `service`, `routes` | what is done with the connections of a path |
//! | `channel` | a connection as a handle for any thread |
//! | `broadcast`, `encoded` | the same message to many connections |
//! | `topics` | who is subscribed to what |
//! | `shared` | what the server and its connections share |
//! | `connection` | one connection on its loop: requests, and then the WebSocket |
//! | `requests`, `http` | what becomes of the requests |

mod broadcast;
mod channel;
mod connection;
mod encoded;
mod http;
mod http_options;
mod options;
mod requests;
mod routes;
mod service;
mod shared;
mod topics;

pub use self::channel::{ChannelState, WebSocketChannel};
pub use self::http_options::HttpOptions;
pub use self::options::ServiceOptions;
pub use self::service::WebSocketService;

use self::broadcast::broadcast;
use self::connection::ServerConnection;
use self::shared::ServerShared;
use crate::events::{ConnectionError, Message};
use crate::handshake::{HandshakeLimits, HttpRequest, HttpResponse};
use hvloop_event::conn::{Handler, ListenerSet, Listening, MakeHandler};
use hvloop_event::{Address, ChannelId, Listen, change, listener_set_methods, lock};
use std::sync::Arc;

/// A WebSocket server: on one loop, with one acceptor and many workers, or with a listener on each of
/// several loops. What is done with the connections of a path is said by a [`WebSocketService`].
///
/// Stopping a loop ends its connections with a Close frame of code 1001, and so does
/// [`stop`](WebSocketServer::stop), or dropping the server, with all of the server's.
///
/// ```no_run
/// use hvloop_event::{EventLoopThread, Listen};
/// use hvloop_ws::{WebSocketServer, WebSocketService};
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// let server = WebSocketServer::new(thread.event_loop());
/// let echo = WebSocketService::new().on_message(|channel, message| {
///     channel.send(message).unwrap_or_else(|e| eprintln!("{e}"));
/// });
/// server.route("/echo", echo);
/// let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
/// println!("echoing at ws://{address}/echo");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::WebSocketServer`.
pub struct WebSocketServer {
    shared: Arc<ServerShared>,
    listeners: ListenerSet,
}

impl WebSocketServer {
    listener_set_methods!();

    fn over(listeners: ListenerSet) -> Self {
        Self {
            shared: Arc::default(),
            listeners,
        }
    }

    /// What is done with upgrades at a path, in the place of what was said before: an exact path, or
    /// all that begins with what stands before a `*` at the end (`"/*"`, `"*"`). An exact path goes
    /// before a prefix, a longer prefix before a shorter one. Connections that are open keep their
    /// service. The path is compared as the client spells it, without its query.
    ///
    /// An upgrade at another path is refused with status 404.
    pub fn route(&self, path: impl Into<String>, service: WebSocketService) {
        self.shared.add_route(path.into(), service);
    }

    /// Answers requests that ask for no upgrade: for a page, a health check, metrics, or a small API beside the
    /// WebSockets. Called once the request's body is there ([`HttpRequest::body`]), on the thread of the
    /// connection's loop; requests of one connection are answered in their order. If it panics, the answer is 500.
    /// Limits, and how long a connection waits for another request, are set by
    /// [`set_http_options`](WebSocketServer::set_http_options).
    ///
    /// By default the answer is 426 at a path that has a service, else 404, and ends the connection.
    ///
    /// ```
    /// use hvloop_event::EventLoop;
    /// use hvloop_ws::WebSocketServer;
    /// use hvloop_ws::handshake::HttpResponse;
    /// use hvloop_ws::http::{Method, StatusCode};
    ///
    /// let server = WebSocketServer::new(&EventLoop::new()?);
    /// server.on_http(|request| match (&request.method, request.path.as_str()) {
    ///     (&Method::GET, "/health") => StatusCode::NO_CONTENT.into(),
    ///     (&Method::POST, "/echo") => HttpResponse::new(StatusCode::OK).body(request.body().to_vec()),
    ///     _ => StatusCode::NOT_FOUND.into(),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// libhv: `hv::HttpService`.
    pub fn on_http(&self, f: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static) {
        change(&self.shared.settings, |settings| {
            settings.http.replace(Arc::new(f))
        });
    }

    /// Called with connections that were to become a WebSocket and did not: by a TLS handshake or a
    /// request that failed, a refusal, or a stop. By default they are noted in the log (debug). The
    /// address is `None` if a stop came before the loop had the connection.
    pub fn on_failed(
        &self,
        f: impl Fn(Option<&Address>, &ConnectionError) + Send + Sync + 'static,
    ) {
        change(&self.shared.settings, |settings| {
            settings.failed.replace(Arc::new(f))
        });
    }

    /// Limits for the head of a request. For connections accepted from now on.
    pub fn set_handshake_limits(&self, limits: HandshakeLimits) {
        lock(&self.shared.settings).handshake = limits;
    }

    /// Limits for requests that ask for no upgrade, and how long a connection waits for the next one. For
    /// connections accepted from now on.
    pub fn set_http_options(&self, options: HttpOptions) {
        lock(&self.shared.settings).http_options = options;
    }

    /// Opens a listener (with several accepting loops, one on each). Connections are accepted once
    /// the loop runs. Returns the address, with the port that port 0 became. Any thread; may be
    /// called for several addresses, with and without TLS, and again after
    /// [`stop`](WebSocketServer::stop).
    ///
    /// # Errors
    ///
    /// What the system said, usually that the address is in use; or the loop is stopping. No listener is
    /// left open then.
    ///
    /// libhv: `setPort` and `start`.
    pub fn listen(&self, listen: Listen) -> Result<Address, hvloop_event::ListenError> {
        self.listeners.listen(listen, self.make())
    }

    /// As [`listen`](WebSocketServer::listen), with a listener that is open already: of
    /// [`Listen::bind`](hvloop_event::Listen::bind), or made
    /// [elsewhere](hvloop_event::Listening::from_listener), which has an example. Several accepting loops
    /// share it: each looks when somebody waits, and the first one has him.
    ///
    /// # Errors
    ///
    /// The loop is stopping, or the system has no descriptor for one more loop; the listener is closed then.
    ///
    /// libhv: `setListenFD` and `start`.
    pub fn listen_on(&self, listening: Listening) -> Result<Address, hvloop_event::ListenError> {
        self.listeners.listen_on(listening, self.make())
    }

    fn make(&self) -> Arc<MakeHandler> {
        let shared = self.shared.clone();
        Arc::new(move |ticket| -> Box<dyn Handler> {
            Box::new(ServerConnection::new(shared.clone(), ticket))
        })
    }

    /// Closes the listeners, then ends every connection in order: with a Close frame of code 1001
    /// behind what is queued, and the close handshake. Connections that are still asking for their
    /// upgrade are closed. Returns at once; each connection that was open has its `on_close`. Any
    /// thread, any number of times. The loops go on.
    ///
    /// libhv: `WebSocketServer::stop`.
    pub fn stop(&self) {
        self.listeners.stop();
        for channel in self.shared.channels() {
            channel.go_away();
        }
    }

    /// Calls `f` with every connection that is open, on this thread. No lock is held meanwhile.
    pub fn for_each_channel(&self, f: impl FnMut(&WebSocketChannel)) {
        self.shared.channels().iter().for_each(f);
    }

    /// The connection of that id, while it is open.
    pub fn channel_by_id(&self, id: ChannelId) -> Option<WebSocketChannel> {
        self.shared.channel(id)
    }

    /// Sends the same text to every connection that is open: one frame for all queues. Returns to how
    /// many; those whose queue has no room are left out. Any thread.
    pub fn broadcast_text(&self, text: &str) -> usize {
        broadcast(self.shared.channels(), Message::Text(text))
    }

    /// Sends the same bytes to every connection that is open. See
    /// [`broadcast_text`](WebSocketServer::broadcast_text).
    pub fn broadcast_binary(&self, data: &[u8]) -> usize {
        broadcast(self.shared.channels(), Message::Binary(data))
    }

    /// Sends the same text to every connection that is [subscribed](WebSocketChannel::subscribe) to a
    /// topic, on whatever loop: one frame for all queues. Returns to how many; those whose queue has no
    /// room are left out. Any thread. What one thread publishes comes in that order at each.
    ///
    /// ```no_run
    /// # use hvloop_event::EventLoop;
    /// # use hvloop_ws::{WebSocketServer, WebSocketService};
    /// # fn serve(event_loop: &EventLoop) {
    /// let server = WebSocketServer::new(event_loop);
    /// let prices = WebSocketService::new().on_open(|channel, _| {
    ///     channel.subscribe("prices");
    /// });
    /// server.route("/prices", prices);
    /// let reached = server.publish_text("prices", "HVL 42.00");
    /// # }
    /// ```
    pub fn publish_text(&self, topic: &str, text: &str) -> usize {
        let channels = self.shared.topics.subscribers(topic);
        broadcast(channels, Message::Text(text))
    }

    /// Sends the same bytes to every connection that is subscribed to a topic. See
    /// [`publish_text`](WebSocketServer::publish_text).
    pub fn publish_binary(&self, topic: &str, data: &[u8]) -> usize {
        let channels = self.shared.topics.subscribers(topic);
        broadcast(channels, Message::Binary(data))
    }

    /// How many topics have subscribers; one that has none does not exist.
    pub fn topic_num(&self) -> usize {
        self.shared.topics.number()
    }

    /// How many connections are subscribed to a topic.
    pub fn subscriber_num(&self, topic: &str) -> usize {
        self.shared.topics.count(topic)
    }
}

impl Drop for WebSocketServer {
    fn drop(&mut self) {
        self.stop();
    }
}

hvloop_event::debug_fields!(WebSocketServer, this: "connections" = this.connection_num());
