//! A server of streams.

use super::accepted::{Accepted, send_to};
use super::channel::{Channel, ChannelId};
use crate::conn::{ConnId, Listen, Transport};
use crate::core::shared::lock;
use crate::core::slots::Key;
use crate::core::sources::AddError;
use crate::error::{CloseReason, LoopClosed, SendError};
use crate::event_loop::EventLoop;
use crate::event_loop_thread_pool::EventLoopThreadPool;
use crate::framing::Unpack;
use crate::io::accept::Acceptor;
use crate::load_balance::{Chooser, LoadBalance};
use crate::local_loop::LocalLoop;
use crate::sys::{Address, Listener};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type OnChannel = Arc<dyn Fn(&Channel) + Send + Sync>;
type OnMessage = Arc<dyn Fn(&Channel, &mut [u8]) + Send + Sync>;
type OnClose = Arc<dyn Fn(&Channel, &CloseReason) + Send + Sync>;
type OnFailed = Arc<dyn Fn(Option<&Address>, &CloseReason) + Send + Sync>;

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
    shared: Arc<Shared>,
    acceptors: Vec<EventLoop>,
}

/// What the server and its connections share.
pub(super) struct Shared {
    callbacks: Mutex<Arc<Callbacks>>,
    unpack: Mutex<Option<Unpack>>,
    workers: Vec<Worker>,
    /// Connections stay on the loop that accepted them.
    on_own_loop: bool,
    balance: Mutex<LoadBalance>,
    chooser: Chooser,
    max_connections: AtomicUsize,
    /// Accepted and not ended, whatever became of their handshakes.
    connections: AtomicUsize,
    turned_away: AtomicU64,
    state: Mutex<State>,
}

struct Worker {
    event_loop: EventLoop,
    connections: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Counts stops: what was accepted before one is closed by it, wherever it is on its way.
    epoch: u64,
    listeners: Vec<(EventLoop, Key)>,
    /// Accepted and not up yet, by worker.
    handshakes: HashSet<(usize, ConnId)>,
    channels: HashMap<ChannelId, Channel>,
}

#[derive(Clone, Default)]
pub(super) struct Callbacks {
    pub(super) connection: Option<OnChannel>,
    pub(super) message: Option<OnMessage>,
    pub(super) write_complete: Option<OnChannel>,
    pub(super) close: Option<OnClose>,
    pub(super) failed: Option<OnFailed>,
}

impl TcpServer {
    /// Accepts and serves on one loop, which need not run yet. A server never starts, runs or stops
    /// a loop.
    ///
    /// libhv: `TcpServer(loop)`.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        let loops = vec![event_loop.clone()];
        Self::over(loops.clone(), loops, true)
    }

    /// Accepts on one loop, and gives each connection to one of the pool's, as
    /// [`set_load_balance`](TcpServer::set_load_balance) says.
    ///
    /// libhv: `setThreadNum` with `LB_...`: one acceptor, many workers.
    #[must_use]
    pub fn with_workers(acceptor: &EventLoop, workers: &EventLoopThreadPool) -> Self {
        let workers = workers.event_loops().cloned().collect();
        Self::over(vec![acceptor.clone()], workers, false)
    }

    /// Each of the pool's loops accepts for itself: the system shares the connections among them
    /// (SO_REUSEPORT).
    ///
    /// libhv: `examples/multi-thread/multi-acceptor-threads.c`.
    #[must_use]
    pub fn per_loop(pool: &EventLoopThreadPool) -> Self {
        let loops: Vec<_> = pool.event_loops().cloned().collect();
        Self::over(loops.clone(), loops, true)
    }

    fn over(acceptors: Vec<EventLoop>, workers: Vec<EventLoop>, on_own_loop: bool) -> Self {
        let worker = |event_loop| Worker {
            event_loop,
            connections: AtomicUsize::new(0),
        };
        Self {
            shared: Arc::new(Shared {
                callbacks: Mutex::default(),
                unpack: Mutex::default(),
                workers: workers.into_iter().map(worker).collect(),
                on_own_loop,
                balance: Mutex::default(),
                chooser: Chooser::default(),
                max_connections: AtomicUsize::new(usize::MAX),
                connections: AtomicUsize::new(0),
                turned_away: AtomicU64::new(0),
                state: Mutex::default(),
            }),
            acceptors,
        }
    }

    /// Called when a connection is up (TLS included).
    ///
    /// libhv: `TcpServer::onConnection`, connected.
    pub fn on_connection(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared.set(|callbacks| callbacks.connection = Some(Arc::new(f)));
    }

    /// Called with bytes as they come, in the loop's own buffer, or with packages
    /// ([`set_unpack`](TcpServer::set_unpack)).
    ///
    /// libhv: `TcpServer::onMessage`.
    pub fn on_message(&self, f: impl Fn(&Channel, &mut [u8]) + Send + Sync + 'static) {
        self.shared.set(|callbacks| callbacks.message = Some(Arc::new(f)));
    }

    /// Called when everything that was queued on a connection has been written.
    ///
    /// libhv: `TcpServer::onWriteComplete`.
    pub fn on_write_complete(&self, f: impl Fn(&Channel) + Send + Sync + 'static) {
        self.shared.set(|callbacks| callbacks.write_complete = Some(Arc::new(f)));
    }

    /// Called exactly once per connection that came up, as the last of its callbacks.
    ///
    /// libhv: `TcpServer::onConnection`, disconnected.
    pub fn on_close(&self, f: impl Fn(&Channel, &CloseReason) + Send + Sync + 'static) {
        self.shared.set(|callbacks| callbacks.close = Some(Arc::new(f)));
    }

    /// Called with connections that were accepted and never came up, such as by a TLS handshake
    /// that failed. By default they are noted in the log (debug).
    pub fn on_failed(&self, f: impl Fn(Option<&Address>, &CloseReason) + Send + Sync + 'static) {
        self.shared.set(|callbacks| callbacks.failed = Some(Arc::new(f)));
    }

    /// How a server with workers chooses among them. Default: by turns.
    ///
    /// libhv: `TcpServer::setLoadBalance`.
    pub fn set_load_balance(&self, balance: LoadBalance) {
        *lock(&self.shared.balance) = balance;
    }

    /// Turns connections away (closes them at once) while there are so many. Default: no limit.
    ///
    /// libhv: `TcpServer::setMaxConnectionNum`.
    pub fn set_max_connections(&self, connections: usize) {
        let limit = &self.shared.max_connections;
        limit.store(connections, Ordering::Relaxed);
    }

    /// `on_message` gets packages that are cut by this rule; `None`, the default: bytes as they
    /// come. For connections accepted from now on; see [`Channel::set_unpack`] for one that is up.
    ///
    /// libhv: `TcpServer::setUnpack`.
    pub fn set_unpack(&self, unpack: Option<Unpack>) {
        *lock(&self.shared.unpack) = unpack;
    }

    /// Opens a listener (with several accepting loops, one on each). Connections are accepted once
    /// the loop runs. Returns the address, with the port that port 0 became. Any thread; may be
    /// called for several addresses, and again after [`stop`](TcpServer::stop).
    ///
    /// # Errors
    ///
    /// What the system said, usually that the address is in use; or the loop is stopping
    /// ([`io::ErrorKind::NotConnected`]). No listener is left open then.
    ///
    /// libhv: `TcpServer::createsocket` and `start`.
    pub fn listen(&self, mut listen: Listen) -> io::Result<Address> {
        if self.acceptors.iter().any(EventLoop::is_stopping) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        listen.socket.reuse_port |= self.acceptors.len() > 1;
        let mut listeners = Vec::new();
        for event_loop in &self.acceptors {
            let listener = Listener::bind(&listen.address, &listen.socket)?;
            // The others go where port 0 led.
            listen.address = listener.local()?;
            listeners.push((event_loop, listener));
        }
        let address = listen.address.clone();
        let epoch = lock(&self.shared.state).epoch;
        let listen = Arc::new(listen);
        for (event_loop, listener) in listeners {
            let (shared, listen) = (self.shared.clone(), listen.clone());
            let posted = event_loop
                .with_local(move |local| shared.accept_on(local, listener, listen, epoch));
            if posted.is_err() {
                self.close_listeners();
                return Err(io::ErrorKind::NotConnected.into());
            }
        }
        Ok(address)
    }

    /// Closes the listeners: nothing is accepted any more, connections go on. Any thread.
    pub fn close_listeners(&self) {
        self.shared.close_listeners();
    }

    /// Closes the listeners, then ends every connection in order. Returns at once; each connection
    /// has its `on_close`. Any thread, any number of times. The loops go on.
    ///
    /// libhv: `TcpServer::stop`.
    pub fn stop(&self) {
        self.shared.close_listeners();
        self.shared.close_handshakes();
        self.for_each_channel(Channel::close);
    }

    /// How many connections there are, those in their handshakes included.
    ///
    /// libhv: `TcpServer::connectionNum`.
    pub fn connection_num(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections [`set_max_connections`](TcpServer::set_max_connections) has turned
    /// away.
    pub fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
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
        lock(&self.shared.state).channels.get(&id).cloned()
    }

    /// Sends the same bytes to every connection that is up: one buffer for all queues. Returns to
    /// how many; those whose queue has no room are left out, which on the loop's thread is known at
    /// once (on another thread: noted in the log). Any thread.
    ///
    /// libhv: `TcpServer::broadcast`.
    pub fn broadcast(&self, data: &[u8]) -> usize {
        let data: Arc<[u8]> = data.into();
        let mut sent = 0;
        for channel in self.shared.channels() {
            match channel.send_shared(&data) {
                Ok(()) => sent += 1,
                Err(SendError::NotOpen) => {}
                Err(e) => log::debug!("hvloop: no broadcast to {channel:?}: {e}"),
            }
        }
        sent
    }

    /// The first of the loops that accept.
    ///
    /// libhv: `TcpServer::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.acceptors[0]
    }
}

impl Shared {
    fn set(&self, f: impl FnOnce(&mut Callbacks)) {
        let old = {
            let mut callbacks = lock(&self.callbacks);
            let mut fresh = Callbacks::clone(&callbacks);
            f(&mut fresh);
            std::mem::replace(&mut *callbacks, Arc::new(fresh))
        };
        drop(old); // with no lock held: what it had alone is the user's
    }

    pub(super) fn callbacks(&self) -> Arc<Callbacks> {
        lock(&self.callbacks).clone()
    }

    pub(super) fn unpack(&self) -> Option<Unpack> {
        lock(&self.unpack).clone()
    }

    fn channels(&self) -> Vec<Channel> {
        lock(&self.state).channels.values().cloned().collect()
    }

    /// Puts a listener on its loop, on the loop's thread.
    fn accept_on(
        self: Arc<Self>,
        local: &LocalLoop,
        listener: Listener,
        listen: Arc<Listen>,
        epoch: u64,
    ) {
        let acceptor = Accepting {
            server: self.clone(),
            epoch,
        };
        if lock(&self.state).epoch != epoch {
            return; // stopped meanwhile; the listener closes with this
        }
        match local.core().listen(listener, listen, Box::new(acceptor)) {
            Ok(key) => {
                let mut state = lock(&self.state);
                state.listeners.push((local.event_loop(), key));
            }
            Err(AddError::Closed(LoopClosed(_))) => {
                log::debug!("hvloop: a listener came to a loop that is stopping");
            }
            Err(AddError::Io(e, _)) => log::error!("hvloop: a listener was refused: {e}"),
        }
    }

    fn close_listeners(&self) {
        let listeners = {
            let mut state = lock(&self.state);
            state.epoch += 1;
            std::mem::take(&mut state.listeners)
        };
        for (event_loop, key) in listeners {
            let closed = event_loop
                .with_local(move |local| local.core().begin_close(key, CloseReason::Local));
            if closed.is_err() {
                log::debug!("hvloop: a listener's loop had closed it already");
            }
        }
    }

    fn close_handshakes(&self) {
        let handshakes: Vec<_> = lock(&self.state).handshakes.iter().copied().collect();
        for (worker, id) in handshakes {
            let closed = self.workers[worker]
                .event_loop
                .with_local(move |local| {
                    if let Some(conn) = local.conn(id) {
                        conn.close_now(CloseReason::Local);
                    }
                });
            if closed.is_err() {
                log::debug!("hvloop: a connection's loop had closed it already");
            }
        }
    }

    /// Counts a connection for one of the workers. `None`: there are too many.
    fn count(&self, acceptor: &EventLoop) -> Option<usize> {
        let limit = self.max_connections.load(Ordering::Relaxed);
        let counted = self
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < limit).then_some(count + 1)
            });
        if counted.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let own = self.workers.iter();
        let mut own = own.enumerate().filter(|(_, w)| w.event_loop.same_loop(acceptor));
        let worker = match own.next().filter(|_| self.on_own_loop) {
            Some((worker, _)) => worker,
            None => {
                let balance = *lock(&self.balance);
                let connections = |n: usize| {
                    let count = &self.workers[n].connections;
                    count.load(Ordering::Relaxed) as u64
                };
                self.chooser.choose(balance, self.workers.len(), connections)
            }
        };
        let count = &self.workers[worker].connections;
        count.fetch_add(1, Ordering::Relaxed);
        Some(worker)
    }

    /// A loop has taken a connection that is not up yet.
    fn begins(&self, local: &LocalLoop, worker: usize, id: ConnId, epoch: u64) {
        let stopped = {
            let mut state = lock(&self.state);
            state.handshakes.insert((worker, id));
            state.epoch != epoch
        };
        if let Some(conn) = local.conn(id).filter(|_| stopped) {
            conn.close_now(CloseReason::Local);
        }
    }

    /// The connection is up. `false`: the server was stopped since it was accepted.
    pub(super) fn enter(&self, worker: usize, id: ConnId, channel: &Channel, epoch: u64) -> bool {
        let mut state = lock(&self.state);
        state.handshakes.remove(&(worker, id));
        state.channels.insert(channel.id(), channel.clone());
        state.epoch == epoch
    }

    /// It has come to another loop: the handle is another one.
    pub(super) fn moved(&self, channel: &Channel) {
        lock(&self.state).channels.insert(channel.id(), channel.clone());
    }

    /// It has ended.
    pub(super) fn leave(&self, worker: usize, id: ConnId, channel: Option<&Channel>) {
        let gone = {
            let mut state = lock(&self.state);
            state.handshakes.remove(&(worker, id));
            channel.and_then(|channel| state.channels.remove(&channel.id()))
        };
        drop(gone); // with no lock held: its context is the user's
        self.workers[worker].connections.fetch_sub(1, Ordering::Relaxed);
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A listener of the server's.
struct Accepting {
    server: Arc<Shared>,
    /// That of when it began to listen: a connection that waited while the server was stopped is
    /// closed.
    epoch: u64,
}

impl Acceptor for Accepting {
    fn on_accept(&mut self, local: &LocalLoop, transport: Transport) {
        let Some(worker) = self.server.count(&local.event_loop()) else {
            return; // the transport is dropped: turned away
        };
        let epoch = self.epoch;
        let handler = Box::new(Accepted::new(self.server.clone(), worker, epoch));
        let server = self.server.clone();
        let begins = move |local: &LocalLoop, id| server.begins(local, worker, id, epoch);
        let to = &self.server.workers[worker].event_loop;
        send_to(to, transport, handler, local, begins);
    }

    fn on_close(self: Box<Self>, _local: &LocalLoop, reason: CloseReason) {
        log::debug!("hvloop: a listener is closed: {reason}");
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

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<TcpServer>();
};
