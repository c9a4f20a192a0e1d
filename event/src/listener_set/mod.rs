//! The listeners of a server, and the way of what they accept to the loops that serve it.
//!
//! [`TcpServer`](crate::TcpServer) is built on this, and so is the WebSocket server of `hvloop-ws`.

mod admission;
mod network;

use self::admission::Admission;
use crate::conn::{Acceptor, Handler, Listen, ListenerId, Listening, Transport};
use crate::conn::{ListenError, ListenErrorKind};
use crate::core::LocalLoop;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::event_loop_thread_pool::EventLoopThreadPool;
use crate::load_balance::LoadBalance;
use crate::log;
use crate::memory_limit::OnMemoryLimit;
use crate::migrate::send_to;
use crate::sync::lock;
use crate::sys::Address;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

pub use self::admission::Ticket;

/// Makes the protocol's handler of a connection that was accepted, on the thread of the loop that
/// serves it (or of the one that accepted it, if the other takes nothing any more). The handler has
/// to keep the ticket.
pub type MakeHandler = dyn Fn(Ticket) -> Box<dyn Handler> + Send + Sync;

/// The listeners of one server: on one loop, with one acceptor and many workers, or one on each of
/// several loops. What is accepted is counted against the limits, and goes to a loop that the
/// balance chooses; a stop reaches it wherever it is on its way.
///
/// For protocols; users have [`TcpServer`](crate::TcpServer). May be used on any thread.
pub struct ListenerSet {
    acceptors: Vec<EventLoop>,
    admission: Arc<Admission>,
    listening: Arc<Mutex<Listeners>>,
}

#[derive(Default)]
struct Listeners {
    /// Counts closings: a listener that is on its way to its loop meanwhile is closed there.
    closings: u64,
    open: Vec<(EventLoop, ListenerId)>,
    /// On their way to their loops, which may never run: closing them must not wait for that.
    on_their_way: Vec<Arc<Mutex<Option<Parcel>>>>,
}

/// What a listener's loop gets.
type Parcel = (Listening, Accepting);

impl ListenerSet {
    /// Accepts and serves on one loop.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        let loops = vec![event_loop.clone()];
        Self::over(loops.clone(), loops, true)
    }

    /// Accepts on one loop, and serves on those of the pool.
    #[must_use]
    pub fn with_workers(acceptor: &EventLoop, workers: &EventLoopThreadPool) -> Self {
        let workers = workers.event_loops().cloned().collect();
        Self::over(vec![acceptor.clone()], workers, false)
    }

    /// Each of the pool's loops accepts what it serves (SO_REUSEPORT).
    #[must_use]
    pub fn per_loop(pool: &EventLoopThreadPool) -> Self {
        let loops: Vec<_> = pool.event_loops().cloned().collect();
        Self::over(loops.clone(), loops, true)
    }

    fn over(acceptors: Vec<EventLoop>, workers: Vec<EventLoop>, on_own_loop: bool) -> Self {
        Self {
            acceptors,
            admission: Arc::new(Admission::new(workers, on_own_loop)),
            listening: Arc::default(),
        }
    }

    /// How a set with workers chooses among them. Default: by turns.
    pub fn set_load_balance(&self, balance: LoadBalance) {
        *lock(&self.admission.balance) = balance;
    }

    /// Turns connections away (closes them at once) while there are so many. Default: no limit.
    pub fn set_max_connections(&self, connections: usize) {
        let limit = &self.admission.max_connections;
        limit.store(connections, Ordering::Relaxed);
    }

    /// See [`TcpServer::set_max_connections_per_address`](crate::TcpServer::set_max_connections_per_address).
    pub fn set_max_connections_per_address(&self, connections: impl Into<Option<usize>>) {
        lock(&self.admission.by_address).limit = connections.into();
    }

    /// See [`TcpServer::set_memory_limit`](crate::TcpServer::set_memory_limit).
    pub fn set_memory_limit(&self, bytes: impl Into<Option<usize>>) {
        self.admission.memory.set_limit(bytes.into());
    }

    /// See [`TcpServer::set_on_memory_limit`](crate::TcpServer::set_on_memory_limit).
    pub fn set_on_memory_limit(&self, manner: OnMemoryLimit) {
        self.admission.memory.set_manner(manner);
    }

    /// Bytes of memory that the connections hold.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.admission.memory.held()
    }

    /// How many connections the limit to that has closed.
    #[must_use]
    pub fn memory_closes(&self) -> u64 {
        self.admission.memory.closes()
    }

    /// How often reading has paused for it on one of the loops.
    #[must_use]
    pub fn memory_pauses(&self) -> u64 {
        self.admission.memory.pauses()
    }

    /// How many connections there are, those in their handshakes included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.admission.connections.load(Ordering::Relaxed)
    }

    /// How many connections the limits have turned away.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.admission.turned_away.load(Ordering::Relaxed)
    }

    /// The loops that accept: one at least, unless the pool was empty.
    pub fn event_loops(&self) -> &[EventLoop] {
        &self.acceptors
    }

    /// The loops that serve.
    pub fn workers(&self) -> impl Iterator<Item = &EventLoop> {
        self.admission.workers.iter()
    }

    /// Opens a listener (with several accepting loops, one on each); connections are accepted once
    /// the loop runs. Returns the address, with the port that port 0 became.
    ///
    /// # Errors
    ///
    /// What the system said, usually that the address is in use; or the loop is stopping (of several:
    /// all of them). No listener is left open then.
    pub fn listen(
        &self,
        mut listen: Listen,
        make: Arc<MakeHandler>,
    ) -> Result<Address, ListenError> {
        let acceptors = self.acceptors_left(&listen.address)?;
        let several = self.acceptors.len() > 1;
        if several && listen.address.inet().is_none() {
            let kind = ListenErrorKind::SharedPath;
            return Err(ListenError::new(kind, listen.address));
        }
        listen.settings.socket.reuse_port |= several;
        let closings = lock(&self.listening).closings;
        let mut listeners = Vec::new();
        for event_loop in acceptors {
            let listening = listen.clone().bind()?;
            // The others go where port 0 led.
            listen.address = listening.address().clone();
            listeners.push((event_loop, listening));
        }
        self.accept_on_all(listeners, closings, make)?;
        Ok(listen.address)
    }

    /// As [`listen`](Self::listen), with a listener that is open already. Several accepting loops share it: each
    /// looks when somebody waits, and the first one has him.
    ///
    /// # Errors
    ///
    /// As `listen`; the listener is closed then.
    pub fn listen_on(
        &self,
        listening: Listening,
        make: Arc<MakeHandler>,
    ) -> Result<Address, ListenError> {
        let address = listening.address().clone();
        let acceptors = self.acceptors_left(&address)?;
        let closings = lock(&self.listening).closings;
        let mut listeners = Vec::new();
        for event_loop in &acceptors[1..] {
            listeners.push((*event_loop, listening.try_clone()?));
        }
        listeners.push((acceptors[0], listening));
        self.accept_on_all(listeners, closings, make)?;
        Ok(address)
    }

    /// The accepting loops that still take something: one at least.
    fn acceptors_left(&self, address: &Address) -> Result<Vec<&EventLoop>, ListenError> {
        let left = |event_loop: &&EventLoop| !event_loop.is_stopping();
        let left: Vec<_> = self.acceptors.iter().filter(left).collect();
        match left.is_empty() {
            true => Err(ListenError::new(
                ListenErrorKind::LoopClosed,
                address.clone(),
            )),
            false => Ok(left),
        }
    }

    /// Sends each listener to its loop.
    fn accept_on_all(
        &self,
        listeners: Vec<(&EventLoop, Listening)>,
        closings: u64,
        make: Arc<MakeHandler>,
    ) -> Result<(), ListenError> {
        for (event_loop, listening) in listeners {
            let address = listening.address().clone();
            let acceptor = Accepting {
                admission: self.admission.clone(),
                make: make.clone(),
                stops: 0,
            };
            let parcel = Arc::new(Mutex::new(Some((listening, acceptor))));
            {
                let ways = &mut lock(&self.listening).on_their_way;
                ways.retain(|parcel| lock(parcel).is_some());
                ways.push(parcel.clone());
            }
            let listeners = self.listening.clone();
            let accept = move |local: &_| {
                let parcel = lock(&parcel).take();
                if let Some(parcel) = parcel {
                    accept_on(local, parcel, closings, &listeners);
                }
            };
            if event_loop.with_local(accept).is_err() {
                self.close_listeners();
                return Err(ListenError::new(ListenErrorKind::LoopClosed, address));
            }
        }
        Ok(())
    }

    /// Closes the listeners: nothing is accepted any more, connections go on.
    pub fn close_listeners(&self) {
        let (listeners, on_their_way) = {
            let mut listening = lock(&self.listening);
            listening.closings += 1;
            let on_their_way = std::mem::take(&mut listening.on_their_way);
            (std::mem::take(&mut listening.open), on_their_way)
        };
        for parcel in on_their_way {
            let parcel = lock(&parcel).take();
            drop(parcel); // with no lock held: closed
        }
        for (event_loop, id) in listeners {
            let closed = event_loop.with_local(move |local| local.close_listener(id));
            if closed.is_err() {
                log::debug!("hvloop: a listener's loop had closed it already");
            }
        }
    }

    /// Closes the listeners, and ends what was accepted and is not [up](Ticket::up) yet. What is up
    /// is for the protocol to end, after this call.
    pub fn stop(&self) {
        self.close_listeners();
        self.admission.stop();
    }
}

/// What the servers of all protocols have alike: their field `listeners` is a [`ListenerSet`], of which `over`
/// makes a server.
#[doc(hidden)]
#[macro_export]
macro_rules! listener_set_methods {
    () => {
        /// Accepts and serves on one loop, which need not run yet. A server never starts, runs or stops
        /// a loop.
        ///
        /// libhv: `TcpServer(loop)`.
        #[must_use]
        pub fn new(event_loop: &$crate::EventLoop) -> Self {
            Self::over($crate::conn::ListenerSet::new(event_loop))
        }

        /// Accepts on one loop, and gives each connection to one of the pool's, as
        /// [`set_load_balance`](Self::set_load_balance) says.
        ///
        /// libhv: `setThreadNum` with `LB_...`: one acceptor, many workers.
        #[must_use]
        pub fn with_workers(
            acceptor: &$crate::EventLoop,
            workers: &$crate::EventLoopThreadPool,
        ) -> Self {
            Self::over($crate::conn::ListenerSet::with_workers(acceptor, workers))
        }

        /// Each of the pool's loops accepts for itself: the system shares the connections among them
        /// (SO_REUSEPORT).
        ///
        /// libhv: `examples/multi-thread/multi-acceptor-threads.c`.
        #[must_use]
        pub fn per_loop(pool: &$crate::EventLoopThreadPool) -> Self {
            Self::over($crate::conn::ListenerSet::per_loop(pool))
        }

        /// How a server with workers chooses among them. Default: by turns.
        ///
        /// libhv: `TcpServer::setLoadBalance`.
        pub fn set_load_balance(&self, balance: $crate::LoadBalance) {
            self.listeners.set_load_balance(balance);
        }

        /// Turns connections away (closes them at once) while there are so many. Default: no limit.
        ///
        /// libhv: `TcpServer::setMaxConnectionNum`.
        pub fn set_max_connections(&self, connections: usize) {
            self.listeners.set_max_connections(connections);
        }

        /// Turns connections away while there are so many from the same IP address, of those accepted
        /// since a limit was first set; `None`, the default: no limit. Of IPv6 a network of 64 bits counts
        /// as one address, since a host may have all of it, and an IPv4 address in it (`::ffff:192.0.2.1`,
        /// `64:ff9b::192.0.2.1`) as that.
        pub fn set_max_connections_per_address(&self, connections: impl Into<Option<usize>>) {
            self.listeners.set_max_connections_per_address(connections);
        }

        /// How many bytes of memory the connections of this server may hold together, on all of its loops:
        /// messages and packages of which not all has come, what a pause holds back, and send queues, as large
        /// as their buffers are. What is done over it says
        /// [`set_on_memory_limit`](Self::set_on_memory_limit). The log names who is closed for it;
        /// [`memory`](Self::memory), [`memory_closes`](Self::memory_closes) and
        /// [`memory_pauses`](Self::memory_pauses) tell of it. May be changed at any time; counts from the next
        /// bytes that come. `None`, the default: each loop's own limit alone
        /// ([`LoopOptions::memory_limit`]($crate::LoopOptions::memory_limit), 1 GiB), since only who runs the
        /// server knows what else the machine has to do.
        ///
        /// A loop tells the others of what its connections hold in steps of 64 KiB. Not counted are messages
        /// that other threads have sent and the loop has not taken, the bytes of a broadcast (which count for
        /// the loop), the state of TLS and of compression, and what is bounded by small fixed limits.
        pub fn set_memory_limit(&self, bytes: impl Into<Option<usize>>) {
            self.listeners.set_memory_limit(bytes);
        }

        /// What is done while the connections hold more than [the limit](Self::set_memory_limit). Default:
        /// [the greediest are closed]($crate::OnMemoryLimit::CloseGreediest). May be changed at any time.
        pub fn set_on_memory_limit(&self, manner: $crate::OnMemoryLimit) {
            self.listeners.set_on_memory_limit(manner);
        }

        /// How many bytes of memory the connections hold together, as of the last turn of each loop: what
        /// [`set_memory_limit`](Self::set_memory_limit) limits, whether there is a limit or not.
        pub fn memory(&self) -> usize {
            self.listeners.memory()
        }

        /// How many connections were closed since all together held too much.
        pub fn memory_closes(&self) -> u64 {
            self.listeners.memory_closes()
        }

        /// How often reading has paused on one of the loops since all connections together held too much.
        pub fn memory_pauses(&self) -> u64 {
            self.listeners.memory_pauses()
        }

        /// Closes the listeners: nothing is accepted any more, connections go on. Any thread.
        pub fn close_listeners(&self) {
            self.listeners.close_listeners();
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

        /// The first of the loops that accept.
        ///
        /// libhv: `TcpServer::loop`.
        pub fn event_loop(&self) -> &$crate::EventLoop {
            &self.listeners.event_loops()[0]
        }
    };
}

/// Puts a listener on its loop, on the loop's thread.
fn accept_on(local: &LocalLoop, parcel: Parcel, closings: u64, listeners: &Mutex<Listeners>) {
    if lock(listeners).closings != closings {
        return; // closed meanwhile, with this
    }
    let (listening, mut acceptor) = parcel;
    acceptor.stops = acceptor.admission.stops();
    let address = listening.address().clone();
    match local.listen(listening, Box::new(acceptor)) {
        Ok(id) => {
            let here = local.event_loop();
            let late = {
                let mut listening = lock(listeners);
                let late = listening.closings != closings;
                if !late {
                    listening.open.push((here, id));
                }
                late
            };
            if late {
                local.close_listener(id);
            }
        }
        Err(e) => log::error!("hvloop: not listening at {address}: {e}"),
    }
}

/// A listener on its loop.
struct Accepting {
    admission: Arc<Admission>,
    make: Arc<MakeHandler>,
    /// The stops so far, when it began to listen.
    stops: u64,
}

impl Acceptor for Accepting {
    fn on_accept(&mut self, local: &LocalLoop, mut transport: Transport) {
        let from = transport.peer_addr().map(|address| address.ip());
        let here = local.event_loop();
        let Some(ticket) = Admission::admit(&self.admission, &here, from, self.stops) else {
            return; // the transport is dropped: turned away
        };
        transport.parts.account = Some(self.admission.memory.clone());
        let begins = ticket.begins();
        let to = ticket.event_loop().clone();
        let make = self.make.clone();
        send_to(&to, transport, move || make(ticket), local, begins);
    }

    fn on_close(self: Box<Self>, _local: &LocalLoop, reason: CloseReason) {
        log::debug!("hvloop: a listener is closed: {reason}");
    }
}

debug_fields!(ListenerSet, this: "connections" = this.connections());
