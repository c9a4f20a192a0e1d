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
use crate::conn::ListenError;
use crate::conn::{Handler, Listen};
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::event_loop_thread_pool::EventLoopThreadPool;
use crate::framing::Unpack;
use crate::listener_set::ListenerSet;
use crate::load_balance::LoadBalance;
use crate::sys::Address;
use std::fmt;
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
    /// Accepts and serves on one loop, which need not run yet. A server never starts, runs or stops
    /// a loop.
    ///
    /// libhv: `TcpServer(loop)`.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        Self::over(ListenerSet::new(event_loop))
    }

    /// Accepts on one loop, and gives each connection to one of the pool's, as
    /// [`set_load_balance`](TcpServer::set_load_balance) says.
    ///
    /// libhv: `setThreadNum` with `LB_...`: one acceptor, many workers.
    #[must_use]
    pub fn with_workers(acceptor: &EventLoop, workers: &EventLoopThreadPool) -> Self {
        Self::over(ListenerSet::with_workers(acceptor, workers))
    }

    /// Each of the pool's loops accepts for itself: the system shares the connections among them
    /// (SO_REUSEPORT).
    ///
    /// libhv: `examples/multi-thread/multi-acceptor-threads.c`.
    #[must_use]
    pub fn per_loop(pool: &EventLoopThreadPool) -> Self {
        Self::over(ListenerSet::per_loop(pool))
    }

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
        self.shared
            .set(|callbacks| callbacks.connection = Some(Arc::new(f)));
    }

    /// Called with bytes as they come, in the loop's own buffer, or with packages
    /// ([`set_unpack`](TcpServer::set_unpack)).
    ///
    /// libhv: `TcpServer::onMessage`.
    pub fn on_message(&self, f: impl Fn(&Channel, &mut [u8]) + Send + Sync + 'static) {
        self.shared
            .set(|callbacks| callbacks.message = Some(Arc::new(f)));
    }

    /// Called when the peer has ended its side, in order: nothing more comes from it. What is sent here
    /// still goes out. Then this side ends, too, unless it may
    /// [stay half open](crate::Listen::allow_half_open). While reading is paused the end waits, like what is
    /// before it.
    ///
    /// Node: `'end'`; libuv: `UV_EOF`; Netty: `ChannelInputShutdownEvent`.
    pub fn on_end(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared
            .set(|callbacks| callbacks.end = Some(Arc::new(f)));
    }

    /// Called when everything that was queued on a connection has been written.
    ///
    /// libhv: `TcpServer::onWriteComplete`.
    pub fn on_write_complete(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared
            .set(|callbacks| callbacks.write_complete = Some(Arc::new(f)));
    }

    /// Called exactly once per connection that came up, as the last of its callbacks.
    ///
    /// libhv: `TcpServer::onConnection`, disconnected.
    pub fn on_close(&self, f: impl Fn(&Channel, &CloseReason) + Send + Sync + 'static) {
        self.shared
            .set(|callbacks| callbacks.close = Some(Arc::new(f)));
    }

    /// Called with connections that were accepted and never came up, such as by a TLS handshake
    /// that failed. By default they are noted in the log (debug). The address is `None` if a stop came
    /// before the loop had the connection.
    pub fn on_failed(&self, f: impl Fn(Option<&Address>, &CloseReason) + Send + Sync + 'static) {
        self.shared
            .set(|callbacks| callbacks.failed = Some(Arc::new(f)));
    }

    /// How a server with workers chooses among them. Default: by turns.
    ///
    /// libhv: `TcpServer::setLoadBalance`.
    pub fn set_load_balance(&self, balance: LoadBalance) {
        self.listeners.set_load_balance(balance);
    }

    /// Turns connections away (closes them at once) while there are so many. Default: no limit.
    ///
    /// libhv: `TcpServer::setMaxConnectionNum`.
    pub fn set_max_connections(&self, connections: usize) {
        self.listeners.set_max_connections(connections);
    }

    /// Turns connections away while there are so many from the same IP address, of those accepted
    /// since a limit was first set; `None`, the default: no limit. Of IPv6 a network of 64 bits counts as
    /// one address, since a host may have all of it, and an IPv4 address in it (`::ffff:192.0.2.1`,
    /// `64:ff9b::192.0.2.1`) as that.
    pub fn set_max_connections_per_address(&self, connections: impl Into<Option<usize>>) {
        self.listeners.set_max_connections_per_address(connections);
    }

    /// `on_message` gets packages that are cut by this rule; `None`, the default: bytes as they
    /// come. For connections accepted from now on; see [`Channel::set_unpack`] for one that is up.
    ///
    /// libhv: `TcpServer::setUnpack`.
    pub fn set_unpack(&self, unpack: impl Into<Option<Unpack>>) {
        self.shared.set_unpack(unpack.into());
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
        let shared = self.shared.clone();
        let make = move |ticket| -> Box<dyn Handler> {
            Box::new(ServerConnection::new(shared.clone(), ticket))
        };
        self.listeners.listen(listen, Arc::new(make))
    }

    /// Closes the listeners: nothing is accepted any more, connections go on. Any thread.
    pub fn close_listeners(&self) {
        self.listeners.close_listeners();
    }

    /// Closes the listeners, then ends every connection in order. Returns at once; each connection
    /// has its `on_close`. Any thread, any number of times. The loops go on.
    ///
    /// libhv: `TcpServer::stop`.
    pub fn stop(&self) {
        self.listeners.stop();
        self.for_each_channel(Channel::close);
    }

    /// How many connections there are, those in their handshakes included.
    ///
    /// libhv: `TcpServer::connectionNum`.
    pub fn connection_num(&self) -> usize {
        self.listeners.connections()
    }

    /// How many connections the limits have turned away.
    pub fn turned_away(&self) -> u64 {
        self.listeners.turned_away()
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

    /// The first of the loops that accept.
    ///
    /// libhv: `TcpServer::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.listeners.event_loops()[0]
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for TcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpServer")
            .field("connections", &self.connection_num())
            .finish_non_exhaustive()
    }
}
