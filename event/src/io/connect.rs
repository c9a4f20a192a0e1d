//! Making connections: lookup, the race over the addresses (RFC 8305), then what `tunnel` and `secure`
//! hold: the proxy and TLS.

use super::conn::{ConnSlot, ConnTimer, Connecting, FullBacklog};
use super::settings::ConnSettings;
use crate::conn::{Conn, Connect, Handler, Target};
use crate::core::LoopCore;
use crate::error::{CloseReason, LoopClosed};
use crate::local_loop::LocalLoop;
use crate::log;
use crate::machine::addresses::interleave;
use crate::machine::race::{Action, ConnectRace};
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::{Address, Stream, clock, literal};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long one address may be alone in the race (RFC 8305 section 5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long to wait for room in the backlog of a Unix socket, the first time and at most.
const BACKLOG_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Bytes that the system may hold and not have sent: a slow peer's progress is seen, and what is behind
/// them (a Ping, a Close) is not far behind. No slower on loopback than without.
const UNSENT_LIMIT: u32 = 64 * 1024;

impl LoopCore {
    /// See [`LocalLoop::connect`].
    pub(crate) fn connect(
        &self,
        options: Connect,
        handler: Box<dyn Handler>,
    ) -> Result<Key, LoopClosed<Box<dyn Handler>>> {
        if self.is_stopping() || !self.shared.gate.acquire() {
            return Err(LoopClosed(handler));
        }
        let deadline = options.settings.deadline;
        let target = options.first_stop();
        let (tunnel, impossible) = match options.tunnel() {
            Ok(tunnel) => (tunnel, None),
            Err(e) => (None, Some(CloseReason::Proxy(e.into()))),
        };
        let slot = ConnSlot::new(options, tunnel, handler, clock::now());
        let key = self.slots.borrow_mut().insert(slot);
        self.count_connections();
        let timer = self.arm_conn_timer(None, deadline, key, ConnTimer::Open);
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.open_timer = timer;
        }
        if let Some(reason) = impossible {
            self.begin_close(key, reason);
            return Ok(key);
        }
        match target {
            Target::Host(host, port) => match literal(&host, port) {
                Some(address) => self.resolved(key, address.map(|address| vec![address.into()])),
                None => self.look_up(key, host, port),
            },
            #[cfg(unix)]
            Target::Unix(path) => self.resolved(key, Ok(vec![Address::Unix(Some(path))])),
        }
        Ok(key)
    }

    fn look_up(&self, key: Key, host: String, port: u16) {
        let shared = self.shared.clone();
        let done = Box::new(move |answer: io::Result<Vec<SocketAddr>>| {
            // A loop that has closed wants no answer.
            if let Some(permit) = shared.inbox.reserve() {
                permit.send(Box::new(move |local: &LocalLoop| {
                    let addresses = answer.map(|mut addresses| {
                        addresses
                            .iter_mut()
                            .for_each(|address| address.set_port(port));
                        let order = interleave(addresses);
                        order.into_iter().map(Address::Inet).collect()
                    });
                    local.core().resolved(key, addresses);
                }));
            }
        });
        match self.shared.dns.submit(host, done) {
            Ok(token) => {
                let mut slots = self.slots.borrow_mut();
                if let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) {
                    connecting.lookup = Some(token);
                }
            }
            Err(e) => self.begin_close(key, CloseReason::Dns(Arc::new(e))),
        }
    }

    /// The addresses, or why there are none. `key` may be stale.
    fn resolved(&self, key: Key, answer: io::Result<Vec<Address>>) {
        let now = clock::now();
        let failure = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            if !slot.life.resolved() {
                return;
            }
            let Some(connecting) = slot.connecting.as_mut() else {
                return;
            };
            connecting.lookup = None;
            match answer {
                Ok(addresses) if addresses.is_empty() => Some(io::Error::new(
                    io::ErrorKind::NotFound,
                    "the host has no address",
                )),
                Ok(addresses) => {
                    connecting.race = Some(ConnectRace::new(addresses, now, ATTEMPT_DELAY));
                    None
                }
                Err(e) => Some(e),
            }
        };
        match failure {
            Some(e) => self.begin_close(key, CloseReason::Dns(Arc::new(e))),
            None => self.drive_race(key),
        }
    }

    /// Does what the race asks for, until it asks to wait.
    pub(super) fn drive_race(&self, key: Key) {
        loop {
            let now = clock::now();
            let action = {
                let mut slots = self.slots.borrow_mut();
                let connecting = slots.get_mut(key).and_then(|s| s.connecting.as_mut());
                match connecting.and_then(|c| c.race.as_mut()) {
                    Some(race) => race.poll(now),
                    None => return,
                }
            };
            match action {
                Action::Start(index, address) => self.start_racer(key, index, address),
                Action::WaitUntil(at) => {
                    return self.arm_race_timer(key, at.saturating_duration_since(now));
                }
                Action::Wait => return,
                Action::Failed => {
                    let last = {
                        let mut slots = self.slots.borrow_mut();
                        let connecting = slots.get_mut(key).and_then(|s| s.connecting.as_mut());
                        connecting.and_then(|c| c.last_error.take())
                    };
                    let reason = match last {
                        Some((address, e)) => CloseReason::Connect(address.inet(), e),
                        None => {
                            let e = io::Error::other("no address could be tried");
                            CloseReason::Connect(None, Arc::new(e))
                        }
                    };
                    return self.begin_close(key, reason);
                }
            }
        }
    }

    fn arm_race_timer(&self, key: Key, after: Duration) {
        let old = {
            let mut slots = self.slots.borrow_mut();
            let connecting = slots.get_mut(key).and_then(|s| s.connecting.as_mut());
            connecting.and_then(|c| c.race_timer.take())
        };
        let timer = self.arm_conn_timer(old, after, key, ConnTimer::Race);
        let mut slots = self.slots.borrow_mut();
        if let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) {
            connecting.race_timer = timer;
        }
    }

    fn start_racer(&self, key: Key, index: usize, address: Address) {
        let bind = {
            let slots = self.slots.borrow();
            let connecting = slots.get(key).and_then(|s| s.connecting.as_ref());
            connecting.and_then(|c| c.options.bind)
        };
        let started = self.with_poller(|poller| {
            let mut stream = Stream::connect(&address, bind)?;
            // All racers of a connection share its key: the winner stays as it is registered, and
            // an event of a loser is a spurious one for the winner.
            stream.register(poller, key)?;
            Ok(stream)
        });
        match started {
            Ok(stream) => {
                let mut slots = self.slots.borrow_mut();
                if let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) {
                    connecting.sockets.push((index, address, stream));
                }
            }
            Err(e) if is_backlog_full(&address, &e) => self.wait_for_room(key, index, address),
            Err(e) => self.racer_failed(key, index, address, e),
        }
    }

    /// The system does not tell when a Unix socket's backlog has room again: looks after a while. There is
    /// no other address, so that the race does not use its timer.
    fn wait_for_room(&self, key: Key, index: usize, address: Address) {
        let pause = {
            let mut slots = self.slots.borrow_mut();
            let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) else {
                return;
            };
            let pause = connecting.full.take().map_or(BACKLOG_PAUSE.0, |f| f.pause);
            connecting.full = Some(Box::new(FullBacklog {
                index,
                address,
                pause: (pause * 2).min(BACKLOG_PAUSE.1),
            }));
            pause
        };
        self.arm_race_timer(key, pause);
    }

    /// Tries an address again whose backlog was full.
    pub(super) fn connect_again(&self, key: Key) {
        let full = {
            let slots = self.slots.borrow();
            let connecting = slots.get(key).and_then(|s| s.connecting.as_ref());
            connecting.and_then(|c| c.full.as_deref().cloned())
        };
        if let Some(FullBacklog { index, address, .. }) = full {
            self.start_racer(key, index, address);
        }
    }

    fn racer_failed(&self, key: Key, index: usize, address: Address, error: io::Error) {
        log::debug!("hvloop: connect to {address}: {error}");
        let mut slots = self.slots.borrow_mut();
        if let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) {
            connecting.last_error = Some((address, Arc::new(error)));
            if let Some(race) = connecting.race.as_mut() {
                race.on_failed(index, clock::now());
            }
        }
    }

    /// Looks which of the racers have ended, for better or worse.
    pub(super) fn check_racers(&self, local: &LocalLoop, key: Key) {
        let mut failed = Vec::new();
        let mut losers = Vec::new();
        let winner = {
            let mut slots = self.slots.borrow_mut();
            let Some(connecting) = slots.get_mut(key).and_then(|s| s.connecting.as_mut()) else {
                return;
            };
            let mut winner = None;
            let mut waiting = Vec::new();
            for (index, address, stream) in connecting.sockets.drain(..) {
                match stream.connected() {
                    Ok(true) if stream.is_to_itself() && !mutant!("connected_to_itself") => {
                        failed.push((index, address, to_itself()));
                        losers.push(stream);
                    }
                    _ if winner.is_some() => losers.push(stream),
                    Ok(true) => winner = Some((index, address, stream)),
                    Ok(false) => waiting.push((index, address, stream)),
                    Err(e) => {
                        losers.push(stream);
                        failed.push((index, address, e));
                    }
                }
            }
            if winner.is_some() {
                losers.extend(waiting.into_iter().map(|(_, _, stream)| stream));
            } else {
                connecting.sockets = waiting;
            }
            winner
        };
        self.close_sockets(losers);
        match winner {
            Some((_, _, stream)) => self.connected(local, key, stream),
            None => {
                let any = !failed.is_empty();
                for (index, address, e) in failed {
                    self.racer_failed(key, index, address, e);
                }
                if any {
                    self.drive_race(key);
                }
            }
        }
    }

    fn connected(&self, local: &LocalLoop, key: Key, stream: Stream) {
        let race_timer = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            let Some(connecting) = slot.connecting.as_mut() else {
                return;
            };
            connecting.race = None;
            let race_timer = connecting.race_timer.take();
            set_up(&stream, &slot.settings);
            slot.peer = stream.peer().ok();
            slot.local = stream.local().ok();
            slot.stream = Some(stream);
            slot.writable = true;
            race_timer
        };
        // What came together with the connect has had its event: a peer that accepted and closed
        // at once would not be noticed any more.
        self.read_what_came_early(key);
        if let Some(timer) = race_timer {
            self.kill_timer(timer);
        }
        if self.begin_tunnel(key) {
            return self.flush(key);
        }
        let Some(connecting) = self.take_connecting(key) else {
            return;
        };
        if self.begin_tls(key, &connecting.options) {
            self.flush(key);
        } else {
            if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                slot.life.connected(false);
            }
            self.is_up(local, key);
        }
    }

    /// The transport is up.
    pub(super) fn is_up(&self, local: &LocalLoop, key: Key) {
        self.watch_quiet(key);
        self.with_handler(local, key, |handler, conn| handler.on_up(conn));
    }

    /// Readiness that came before the connection was up was noted, and no event will tell again.
    pub(super) fn read_what_came_early(&self, key: Key) {
        let early = {
            let slots = self.slots.borrow();
            slots.get(key).is_some_and(ConnSlot::has_something)
        };
        if early && !mutant!("edge_of_connect_lost") {
            self.mark_ready(key);
        }
    }

    /// There is a stream to the target: what was needed until then.
    pub(super) fn take_connecting(&self, key: Key) -> Option<Box<Connecting>> {
        self.slots.borrow_mut().get_mut(key)?.connecting.take()
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn begin_tls(&self, _key: Key, _options: &Connect) -> bool {
        false
    }

    /// Calls the handler with no borrow held; a panic of its is turned into `on_panic`.
    pub(crate) fn with_handler<R>(
        &self,
        local: &LocalLoop,
        key: Key,
        f: impl FnOnce(&mut Box<dyn Handler>, &Conn<'_>) -> R,
    ) -> Option<R> {
        let mut handler = self.take_handler(key)?;
        let conn = Conn::new(local, key);
        let result = self.guarded(&mut handler, &conn, f);
        self.put_back(key, handler);
        result
    }

    /// Calls the handler that the caller has taken.
    pub(super) fn guarded<R>(
        &self,
        handler: &mut Box<dyn Handler>,
        conn: &Conn<'_>,
        f: impl FnOnce(&mut Box<dyn Handler>, &Conn<'_>) -> R,
    ) -> Option<R> {
        let result = self.call_user("connection", || f(handler, conn));
        if result.is_none() && self.call_user("panic", || handler.on_panic(conn)).is_none() {
            conn.close_now(CloseReason::Panicked);
        }
        result
    }

    /// Takes the handler out for a call. `None`: stale, or its call is on the stack.
    pub(super) fn take_handler(&self, key: Key) -> Option<Box<dyn Handler>> {
        self.slots.borrow_mut().get_mut(key)?.handler.take()
    }

    /// Puts it back: the slot is still there, since slots are freed only in step 10.
    pub(super) fn put_back(&self, key: Key, handler: Box<dyn Handler>) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.handler = Some(handler);
        }
    }
}

/// What a system would say that did not let a connect reach its own port.
fn to_itself() -> io::Error {
    let text = "nobody listens there: the connection led back to itself";
    io::Error::new(io::ErrorKind::ConnectionRefused, text)
}

/// Whether a server is there, and lets nobody else wait now. Of a TCP server the system itself tries again.
fn is_backlog_full(address: &Address, e: &io::Error) -> bool {
    if mutant!("full_backlog_fails") {
        return false;
    }
    match address {
        Address::Inet(_) => false,
        #[cfg(unix)]
        Address::Unix(_) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Sets the socket's own options; none of them is worth a connection.
pub(super) fn set_up(stream: &Stream, settings: &ConnSettings) {
    if let Err(e) = stream.set_nodelay(settings.nodelay) {
        log::debug!("hvloop: TCP_NODELAY: {e}");
    }
    if let Err(e) = stream.set_unsent_limit(UNSENT_LIMIT) {
        log::debug!("hvloop: TCP_NOTSENT_LOWAT: {e}");
    }
    if let Some(Err(e)) = settings.keepalive.map(|after| stream.set_keepalive(after)) {
        log::warn!("hvloop: SO_KEEPALIVE: {e}");
    }
    if let Some(Err(e)) = settings.user_timeout.map(|t| stream.set_user_timeout(t)) {
        log::warn!("hvloop: TCP_USER_TIMEOUT: {e}");
    }
    if let Some(Err(e)) = settings.send_buffer.map(|n| stream.set_send_buffer(n)) {
        log::warn!("hvloop: SO_SNDBUF: {e}");
    }
    if let Some(Err(e)) = settings.recv_buffer.map(|n| stream.set_recv_buffer(n)) {
        log::warn!("hvloop: SO_RCVBUF: {e}");
    }
}

#[cfg(all(test, unix, not(hvloop_sim)))]
mod tests;
