//! A server of streams: TCP, TLS, Unix.
//!
//! | module | holds |
//! |---|---|
//! | `state` | what the server and its connections share: callbacks, channels |
//! | `connection` | one connection on its loop |

mod connection;
mod state;

use self::connection::ServerConnection;
use self::state::ServerState;
use super::channel::{Channel, ChannelId};
use crate::conn::{Handler, Listen, ListenError, Listening};
use crate::error::CloseReason;
use crate::framing::Unpack;
use crate::listener_set::{ListenerSet, MakeHandler};
use crate::listener_set_methods;
use crate::sync::lock;
use crate::sys::Address;
use std::sync::Arc;

/// A server of TCP, TLS or Unix streams: on one loop, with one acceptor and many workers, or with a
/// listener on each of several loops. Each connection's callbacks run on the thread of its loop, so
/// that with several loops several run at the same time: hence `Fn` and `Sync`.
///
/// Callbacks are set before [`listen`](TcpServer::listen); connections keep those that were set when
/// they were accepted. Dropping the server is [`stop`](TcpServer::stop).
///
/// ```no_run
/// use hvloop_event::{EventLoopThread, Listen, TcpServer};
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// let server = TcpServer::new(thread.event_loop());
/// server.on_message(|channel, data| {
///     channel.send(data).unwrap_or_else(|e| eprintln!("{e}"));
/// });
/// let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
/// println!("echoing at {address}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::TcpServer`.
pub struct TcpServer {
    shared: Arc<ServerState>,
    listeners: ListenerSet,
}

impl TcpServer {
    listener_set_methods!();

    fn over(listeners: ListenerSet) -> Self {
        Self {
            shared: Arc::default(),
            listeners,
        }
    }

    /// Called when a connection is up (TLS included).
    ///
    /// libhv: `TcpServer::onConnection`, connected.
    pub fn on_connection(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared.set(|all| all.connection = Some(Arc::new(f)));
    }

    /// Called with bytes as they come, in the loop's own buffer, or with packages
    /// ([`set_unpack`](TcpServer::set_unpack)).
    ///
    /// libhv: `TcpServer::onMessage`.
    pub fn on_message(&self, f: impl Fn(&Channel, &mut [u8]) + Send + Sync + 'static) {
        self.shared.set(|all| all.message = Some(Arc::new(f)));
    }

    /// Called when the peer has ended its side, in order: nothing more comes from it. What is sent here
    /// still goes out. Then this side ends, too, unless it may
    /// [stay half open](crate::Listen::allow_half_open). While reading is paused the end waits, like what is
    /// before it.
    ///
    /// Node: `'end'`; libuv: `UV_EOF`; Netty: `ChannelInputShutdownEvent`.
    pub fn on_end(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared.set(|all| all.end = Some(Arc::new(f)));
    }

    /// Called when everything that was queued on a connection has been written, with how many bytes that were
    /// since the last time.
    ///
    /// libhv: `TcpServer::onWriteComplete`.
    pub fn on_write_complete(&self, f: impl Fn(&Channel, usize) + Send + Sync + 'static) {
        self.shared
            .set(|all| all.write_complete = Some(Arc::new(f)));
    }

    /// Called exactly once per connection that came up, as the last of its callbacks.
    ///
    /// libhv: `TcpServer::onConnection`, disconnected.
    pub fn on_close(&self, f: impl Fn(&Channel, &CloseReason) + Send + Sync + 'static) {
        self.shared.set(|all| all.close = Some(Arc::new(f)));
    }

    /// Called with connections that were accepted and never came up, such as by a TLS handshake
    /// that failed. By default they are noted in the log (debug). The address is `None` if a stop came
    /// before the loop had the connection.
    pub fn on_failed(&self, f: impl Fn(Option<&Address>, &CloseReason) + Send + Sync + 'static) {
        self.shared.set(|all| all.failed = Some(Arc::new(f)));
    }

    /// `on_message` gets packages that are cut by this rule; `None`, the default: bytes as they
    /// come. For connections accepted from now on; see [`Channel::set_unpack`] for one that is up.
    ///
    /// libhv: `TcpServer::setUnpack`.
    pub fn set_unpack(&self, unpack: impl Into<Option<Unpack>>) {
        *lock(&self.shared.unpack) = unpack.into();
    }

    /// Opens a listener (with several accepting loops, one on each). Connections are accepted once
    /// the loop runs. Returns the address, with the port that port 0 became. Any thread; may be
    /// called for several addresses, and again after [`stop`](TcpServer::stop).
    ///
    /// # Errors
    ///
    /// What the system said, usually that the address is in use; or the loop is stopping. No listener is
    /// left open then.
    ///
    /// libhv: `TcpServer::createsocket` and `start`.
    pub fn listen(&self, listen: Listen) -> Result<Address, ListenError> {
        self.listeners.listen(listen, self.make())
    }

    /// As [`listen`](TcpServer::listen), with a listener that is open already: of [`Listen::bind`], or made
    /// [elsewhere](crate::Listening::from_listener). Several accepting loops share it: each looks when
    /// somebody waits, and the first one has him.
    ///
    /// # Errors
    ///
    /// The loop is stopping, or the system has no descriptor for one more loop; the listener is closed then.
    ///
    /// libhv: `TcpServer::setListenFD` and `start`; `createsocket` is [`Listen::bind`].
    pub fn listen_on(&self, listening: Listening) -> Result<Address, ListenError> {
        self.listeners.listen_on(listening, self.make())
    }

    fn make(&self) -> Arc<MakeHandler> {
        let shared = self.shared.clone();
        Arc::new(move |ticket| -> Box<dyn Handler> {
            Box::new(ServerConnection::new(shared.clone(), ticket))
        })
    }

    /// Closes the listeners, then ends every connection in order. Returns at once; each connection
    /// has its `on_close`. Any thread, any number of times. The loops go on.
    ///
    /// libhv: `TcpServer::stop`.
    pub fn stop(&self) {
        self.listeners.stop();
        self.for_each_channel(Channel::close);
    }

    /// Calls `f` with every connection that is up, on this thread. No lock is held meanwhile.
    ///
    /// libhv: `TcpServer::foreachChannel`.
    pub fn for_each_channel(&self, f: impl FnMut(&Channel)) {
        self.shared.channels().iter().for_each(f);
    }

    /// The connection of that id, while it is up.
    ///
    /// libhv: `TcpServer::getChannelById`.
    pub fn channel_by_id(&self, id: ChannelId) -> Option<Channel> {
        self.shared.channel(id)
    }

    /// Sends the same bytes to every connection that is up: one buffer for all queues. Returns to
    /// how many; those whose queue has no room are left out. Any thread.
    ///
    /// libhv: `TcpServer::broadcast`.
    pub fn broadcast(&self, data: &[u8]) -> usize {
        self.shared.broadcast(&data.into())
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

debug_fields!(TcpServer, this: "connections" = this.connection_num());
