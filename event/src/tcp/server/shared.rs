//! What a server and its connections share.

use super::accepted::Accepted;
use crate::conn::{Acceptor, ConnId, ListenerId, Listening, Transport};
use crate::core::shared::lock;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::framing::Unpack;
use crate::load_balance::{Chooser, LoadBalance};
use crate::local_loop::LocalLoop;
use crate::sys::Address;
use crate::tcp::channel::{Channel, ChannelId};
use crate::tcp::handover::send_to;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type OnChannel = Arc<dyn Fn(&Channel) + Send + Sync>;
type OnMessage = Arc<dyn Fn(&Channel, &mut [u8]) + Send + Sync>;
type OnClose = Arc<dyn Fn(&Channel, &CloseReason) + Send + Sync>;
type OnFailed = Arc<dyn Fn(Option<&Address>, &CloseReason) + Send + Sync>;

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
    stops: u64,
    /// Counts closings of the listeners: one on its way to its loop is closed there.
    closings: u64,
    listeners: Vec<(EventLoop, ListenerId)>,
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

impl Shared {
    /// `on_own_loop`: connections stay on the loop that accepted them.
    pub(super) fn new(workers: Vec<EventLoop>, on_own_loop: bool) -> Self {
        let worker = |event_loop| Worker {
            event_loop,
            connections: AtomicUsize::new(0),
        };
        Self {
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
        }
    }

    pub(super) fn set_unpack(&self, unpack: Option<Unpack>) {
        *lock(&self.unpack) = unpack;
    }

    pub(super) fn set_balance(&self, balance: LoadBalance) {
        *lock(&self.balance) = balance;
    }

    pub(super) fn set_max_connections(&self, connections: usize) {
        self.max_connections.store(connections, Ordering::Relaxed);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<Channel> {
        lock(&self.state).channels.get(&id).cloned()
    }

    /// Sends the same bytes to all: one task for each other loop.
    pub(super) fn broadcast(&self, data: &Arc<[u8]>) -> usize {
        let mut sent = 0;
        let mut others: Vec<(EventLoop, Vec<Channel>)> = Vec::new();
        for channel in self.channels() {
            let event_loop = channel.event_loop();
            if event_loop.local().is_some() {
                sent += usize::from(channel.send_shared(data).is_ok());
                continue;
            }
            if let Err(e) = channel.reserve(data.len()) {
                log::debug!("hvloop: no broadcast to {channel:?}: {e}");
                continue;
            }
            sent += 1;
            if !channel.put_in_line(data.clone()) {
                continue; // somebody flushes it already
            }
            match others.iter_mut().find(|(to, _)| to.same_loop(event_loop)) {
                Some((_, channels)) => channels.push(channel),
                None => others.push((event_loop.clone(), vec![channel])),
            }
        }
        for (event_loop, channels) in others {
            let channels = Arc::new(channels);
            let all = channels.clone();
            let flush = move |local: &LocalLoop| {
                all.iter().for_each(|channel| channel.flush(local));
            };
            if event_loop.post_event(flush).is_err() {
                // The loop had closed everything.
                sent -= channels.len();
                channels.iter().for_each(Channel::drop_outgoing);
            }
        }
        sent
    }

    pub(super) fn set(&self, f: impl FnOnce(&mut Callbacks)) {
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

    pub(super) fn channels(&self) -> Vec<Channel> {
        lock(&self.state).channels.values().cloned().collect()
    }

    /// How often the listeners were closed so far.
    pub(super) fn closings(&self) -> u64 {
        lock(&self.state).closings
    }

    /// Puts a listener on its loop, on the loop's thread.
    pub(super) fn accept_on(
        self: Arc<Self>,
        local: &LocalLoop,
        listening: Listening,
        closings: u64,
    ) {
        let stops = {
            let state = lock(&self.state);
            if state.closings != closings {
                return; // closed meanwhile, with this
            }
            state.stops
        };
        let acceptor = Accepting {
            server: self.clone(),
            stops,
        };
        let address = listening.address().clone();
        match local.listen(listening, Box::new(acceptor)) {
            Ok(id) => lock(&self.state).listeners.push((local.event_loop(), id)),
            Err(e) => log::error!("hvloop: not listening at {address}: {e}"),
        }
    }

    pub(super) fn close_listeners(&self) {
        let listeners = {
            let mut state = lock(&self.state);
            state.closings += 1;
            std::mem::take(&mut state.listeners)
        };
        for (event_loop, id) in listeners {
            let closed = event_loop.with_local(move |local| local.close_listener(id));
            if closed.is_err() {
                log::debug!("hvloop: a listener's loop had closed it already");
            }
        }
    }

    /// From now on nothing that was accepted so far may come up.
    pub(super) fn count_stop(&self) {
        lock(&self.state).stops += 1;
    }

    pub(super) fn close_handshakes(&self) {
        let handshakes: Vec<_> = lock(&self.state).handshakes.iter().copied().collect();
        for (worker, id) in handshakes {
            let closed = self.workers[worker].event_loop.with_local(move |local| {
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
        let counted =
            self.connections
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                    (count < limit).then_some(count + 1)
                });
        if counted.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let own = self.workers.iter();
        let mut own = own
            .enumerate()
            .filter(|(_, w)| w.event_loop.same_loop(acceptor));
        let worker = match own.next().filter(|_| self.on_own_loop) {
            Some((worker, _)) => worker,
            None => {
                let balance = *lock(&self.balance);
                let connections = |n: usize| {
                    let count = &self.workers[n].connections;
                    count.load(Ordering::Relaxed) as u64
                };
                self.chooser
                    .choose(balance, self.workers.len(), connections)
            }
        };
        let count = &self.workers[worker].connections;
        count.fetch_add(1, Ordering::Relaxed);
        Some(worker)
    }

    /// A loop has taken a connection that is not up yet.
    fn begins(&self, local: &LocalLoop, worker: usize, id: ConnId, stops: u64) {
        let stopped = {
            let mut state = lock(&self.state);
            state.handshakes.insert((worker, id));
            state.stops != stops
        };
        if let Some(conn) = local.conn(id).filter(|_| stopped) {
            conn.close_now(CloseReason::Local);
        }
    }

    /// The connection is up. `false`: the server was stopped since it was accepted.
    pub(super) fn enter(&self, worker: usize, id: ConnId, channel: &Channel, stops: u64) -> bool {
        let mut state = lock(&self.state);
        state.handshakes.remove(&(worker, id));
        state.channels.insert(channel.id(), channel.clone());
        state.stops == stops
    }

    /// It has come to another loop: the handle is another one.
    pub(super) fn moved(&self, channel: &Channel) {
        lock(&self.state)
            .channels
            .insert(channel.id(), channel.clone());
    }

    /// It has ended.
    pub(super) fn leave(&self, worker: usize, id: ConnId, channel: Option<&Channel>) {
        let gone = {
            let mut state = lock(&self.state);
            match channel {
                Some(channel) => state.channels.remove(&channel.id()),
                // Never up, and so never on another loop, where its id is that of something else.
                None => {
                    state.handshakes.remove(&(worker, id));
                    None
                }
            }
        };
        drop(gone); // with no lock held: its context is the user's
        self.workers[worker]
            .connections
            .fetch_sub(1, Ordering::Relaxed);
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A listener of the server's.
struct Accepting {
    server: Arc<Shared>,
    /// The server's, when it began to listen.
    stops: u64,
}

impl Acceptor for Accepting {
    fn on_accept(&mut self, local: &LocalLoop, transport: Transport) {
        let Some(worker) = self.server.count(&local.event_loop()) else {
            return; // the transport is dropped: turned away
        };
        let stops = self.stops;
        let handler = Box::new(Accepted::new(self.server.clone(), worker, stops));
        let server = self.server.clone();
        let begins = move |local: &LocalLoop, id| server.begins(local, worker, id, stops);
        let to = &self.server.workers[worker].event_loop;
        send_to(to, transport, handler, local, begins);
    }

    fn on_close(self: Box<Self>, _local: &LocalLoop, reason: CloseReason) {
        log::debug!("hvloop: a listener is closed: {reason}");
    }
}
