//! Who is let in, and to which loop.

use super::network::Network;
use crate::conn::ConnId;
use crate::core::LocalLoop;
use crate::core::account::Account;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::load_balance::{Chooser, LoadBalance};
use crate::log;
use crate::sync::lock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The account of a server's connections.
pub(super) struct Admission {
    pub(super) workers: Vec<EventLoop>,
    /// Connections stay on the loop that accepted them.
    on_own_loop: bool,
    pub(super) balance: Mutex<LoadBalance>,
    chooser: Chooser,
    pub(super) max_connections: AtomicUsize,
    /// Accepted and not ended, whatever became of their handshakes.
    pub(super) connections: AtomicUsize,
    pub(super) turned_away: AtomicU64,
    tickets: AtomicU64,
    pub(super) by_address: Mutex<ByAddress>,
    /// What the connections hold.
    pub(super) memory: Arc<Account>,
    state: Mutex<AdmissionState>,
}

#[derive(Default)]
pub(super) struct ByAddress {
    pub(super) limit: Option<usize>,
    counts: HashMap<Network, usize>,
}

#[derive(Default)]
struct AdmissionState {
    /// Counts stops: what was accepted before one is closed by it, wherever it is on its way.
    stops: u64,
    /// Accepted and not up yet, by ticket: the worker, and the connection there.
    handshakes: HashMap<u64, (usize, ConnId)>,
}

impl Admission {
    pub(super) fn new(workers: Vec<EventLoop>, on_own_loop: bool) -> Self {
        Self {
            workers,
            on_own_loop,
            balance: Mutex::default(),
            chooser: Chooser::default(),
            max_connections: AtomicUsize::new(usize::MAX),
            connections: AtomicUsize::new(0),
            turned_away: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
            by_address: Mutex::default(),
            memory: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// How often it was stopped so far.
    pub(super) fn stops(&self) -> u64 {
        lock(&self.state).stops
    }

    /// From now on nothing that was accepted so far may come up.
    pub(super) fn stop(&self) {
        let handshakes: Vec<_> = {
            let mut state = lock(&self.state);
            state.stops += 1;
            state.handshakes.values().copied().collect()
        };
        for (worker, id) in handshakes {
            let closed = self.workers[worker].with_local(move |local| {
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
    pub(super) fn admit(
        self_: &Arc<Self>,
        acceptor: &EventLoop,
        from: Option<IpAddr>,
        stops: u64,
    ) -> Option<Ticket> {
        let admission = &**self_;
        let Some(network) = admission.count(from) else {
            admission.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let worker = admission.choose(acceptor);
        Some(Ticket {
            number: admission.tickets.fetch_add(1, Ordering::Relaxed),
            admission: self_.clone(),
            worker,
            network,
            stops,
        })
    }

    /// Counts one more, if the limits let it: the network it is counted under, if any.
    fn count(&self, from: Option<IpAddr>) -> Option<Option<Network>> {
        let limit = self.max_connections.load(Ordering::Relaxed);
        let more = |count| (count < limit).then_some(count + 1);
        let counted = self
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok()?;
        let mut by_address = lock(&self.by_address);
        let (Some(limit), Some(from)) = (by_address.limit, from) else {
            return Some(None);
        };
        let from = Network::of(from);
        let count = by_address.counts.entry(from).or_default();
        if *count < limit {
            *count += 1;
            return Some(Some(from));
        }
        if limit == 0 {
            by_address.counts.remove(&from);
        }
        drop(by_address);
        self.connections.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn choose(&self, acceptor: &EventLoop) -> usize {
        let own = self.workers.iter().position(|w| w.same_loop(acceptor));
        own.filter(|_| self.on_own_loop).unwrap_or_else(|| {
            let balance = *lock(&self.balance);
            self.chooser
                .choose(balance, self.workers.len(), |n| &self.workers[n])
        })
    }
}

/// The place of one connection on its server's account, from the accept on; dropping it gives it
/// back.
pub struct Ticket {
    admission: Arc<Admission>,
    number: u64,
    worker: usize,
    network: Option<Network>,
    /// The stops so far, when it was accepted.
    stops: u64,
}

impl Ticket {
    /// The connection has done its handshakes, and from now on the protocol ends it on a stop.
    /// `false`: the server was stopped since it was accepted, so it has to end now.
    ///
    /// A protocol that keeps a list of its connections enters this one before the call.
    #[must_use]
    pub fn up(&self) -> bool {
        let mut state = lock(&self.admission.state);
        state.handshakes.remove(&self.number);
        state.stops == self.stops
    }

    /// The loop that serves it.
    #[must_use]
    pub fn event_loop(&self) -> &EventLoop {
        &self.admission.workers[self.worker]
    }

    /// To be called when that loop has taken the connection, which is not up yet.
    pub(super) fn begins(&self) -> impl FnOnce(&LocalLoop, ConnId) + Send + 'static {
        let (admission, number) = (self.admission.clone(), self.number);
        let (worker, stops) = (self.worker, self.stops);
        move |local, id| {
            let stopped = {
                let mut state = lock(&admission.state);
                state.handshakes.insert(number, (worker, id));
                state.stops != stops
            };
            if let Some(conn) = local.conn(id).filter(|_| stopped) {
                conn.close_now(CloseReason::Local);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let admission = &self.admission;
        lock(&admission.state).handshakes.remove(&self.number);
        if let Some(network) = self.network {
            let counts = &mut lock(&admission.by_address).counts;
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
        admission.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

debug_fields!(Ticket, this: "number" = this.number);
