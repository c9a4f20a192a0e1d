//! Datagrams: received within a budget, sent at once, or queued while the socket takes none.

use super::budget::SendBudget;
use crate::core::LoopCore;
use crate::core::sources::{AddError, SourceCall, SourceHandler, SourceIo};
use crate::error::{CloseReason, DatagramError, SendError};
use crate::local_loop::LocalLoop;
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::{Datagrams, Poller};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Datagrams received by one socket in one tick.
const RECEIVES: usize = 32;
/// Queued datagrams sent by one socket in one tick.
const SENDS: usize = 64;
/// The largest payload of a UDP datagram over IPv4: 65,535 less the headers (RFC 768, RFC 791). What is
/// within these limits is for the system to judge, by its devices and its settings.
const MAX_V4: usize = 65_507;
/// Over IPv6 the length of its own header is not counted (RFC 8200 section 3).
const MAX_V6: usize = 65_527;

/// What a datagram socket tells the layer above, on the loop's thread.
pub(crate) trait DatagramHandler {
    /// The socket is on the loop.
    fn on_open(&mut self, local: &LocalLoop);

    /// A datagram came.
    fn on_datagram(&mut self, local: &LocalLoop, data: &mut [u8], from: SocketAddr);

    /// Receiving, or sending to that address, failed; the socket goes on.
    fn on_error(&mut self, local: &LocalLoop, e: &io::Error, to: Option<SocketAddr>);

    /// All that was queued is sent.
    fn on_drained(&mut self, local: &LocalLoop);

    /// The socket is closed.
    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason);
}

/// A datagram socket on the loop, with what waits for it.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    socket: Datagrams,
    queue: VecDeque<Waiting>,
    budget: Arc<SendBudget>,
    /// To be closed when all is sent.
    finishing: Option<CloseReason>,
}

#[derive(Debug)]
struct Waiting {
    data: Vec<u8>,
    to: Option<SocketAddr>,
}

/// The half that calls the layer above.
struct Receiving {
    handler: Box<dyn DatagramHandler>,
}

/// One step of a socket.
enum Step {
    Received(usize, SocketAddr),
    /// Nothing waits, or the socket takes no more.
    Blocked,
    Sent {
        all: bool,
    },
    Failed(io::Error, Option<SocketAddr>),
}

impl DatagramSocket {
    pub(crate) fn new(socket: Datagrams, budget: Arc<SendBudget>) -> Self {
        Self {
            socket,
            queue: VecDeque::new(),
            budget,
            finishing: None,
        }
    }

    /// Whether it only sends what waits, and hears no more.
    #[cfg(hvloop_sim)]
    pub(crate) fn is_finishing(&self) -> bool {
        self.finishing.is_some()
    }

    /// What must hold of it between two turns: what waits is sent when the socket takes it again, and
    /// the end comes when nothing waits any more.
    #[cfg(hvloop_sim)]
    pub(crate) fn check_invariants(&self, writable: bool, listed: bool) -> Result<(), String> {
        let waits = !self.queue.is_empty();
        if waits && !listed && writable {
            return Err("datagrams wait for a socket that takes them".to_owned());
        }
        if waits && !listed && !self.socket.tells_of_room() {
            return Err("datagrams wait, and no event will tell of room".to_owned());
        }
        if self.finishing.is_some() && !waits {
            return Err("all is sent, and it was not closed".to_owned());
        }
        Ok(())
    }

    pub(crate) fn socket(&self) -> &Datagrams {
        &self.socket
    }

    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        self.socket.register(poller, key)
    }

    pub(crate) fn deregister(&mut self, poller: &Poller) {
        self.socket.deregister(poller);
    }

    /// Sends at once, unless others wait or the socket takes none: then `Ok(false)`.
    fn send_now(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<bool> {
        if !self.queue.is_empty() {
            return Ok(false);
        }
        loop {
            match self.socket.send(data, to) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                sent => return sent.map(|_| true),
            }
        }
    }

    /// Sends, or queues; room is on the account already if it is `reserved`, and else only what has to
    /// wait needs some. `Ok(false)`: queued.
    fn send(
        &mut self,
        data: &[u8],
        to: Option<SocketAddr>,
        reserved: bool,
    ) -> Result<bool, DatagramError> {
        let sent = self.send_now(data, to);
        if matches!(sent, Ok(false)) {
            if !reserved {
                self.budget.reserve(data.len())?;
            }
            let data = data.to_vec();
            self.queue.push_back(Waiting { data, to });
        } else if reserved {
            self.budget.release(data.len());
        }
        sent.map_err(|e| DatagramError::Io(Arc::new(e)))
    }

    fn receive(&mut self, readable: &mut bool, buffer: &mut [u8]) -> Step {
        loop {
            match self.socket.receive(buffer) {
                Ok((n, from)) => return Step::Received(n, from),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    *readable = false;
                    return Step::Blocked;
                }
                // Usually: nobody listens where something was sent to (ICMP). Others may wait.
                Err(e) => return Step::Failed(e, None),
            }
        }
    }

    /// Sends the next one that waits.
    fn send_waiting(&mut self, writable: &mut bool) -> Step {
        let Some(next) = self.queue.front() else {
            return Step::Blocked;
        };
        let sent = loop {
            match self.socket.send(&next.data, next.to) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                sent => break sent,
            }
        };
        if matches!(&sent, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
            *writable = false;
            return Step::Blocked;
        }
        let to = next.to;
        match sent {
            // What became of an earlier one, which has cleared it: this one was not tried.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused && to.is_none() => {
                return Step::Failed(e, to);
            }
            _ => {}
        }
        self.budget.release(next.data.len());
        self.queue.pop_front();
        match sent {
            Ok(_) => Step::Sent {
                all: self.queue.is_empty(),
            },
            Err(e) => Step::Failed(e, to),
        }
    }
}

impl Drop for DatagramSocket {
    /// What was queued is off the account: it reaches nobody.
    fn drop(&mut self) {
        let unsent = self.queue.iter().map(|waiting| waiting.data.len()).sum();
        self.budget.release(unsent);
    }
}

impl LoopCore {
    /// Puts an open datagram socket on the loop.
    pub(crate) fn add_datagrams(
        &self,
        name: String,
        socket: DatagramSocket,
        handler: Box<dyn DatagramHandler>,
    ) -> Result<Key, AddError<Box<dyn DatagramHandler>>> {
        let added = self.add_source(name, SourceIo::Datagrams(socket), Receiving { handler });
        added.map_err(|e| e.map(|receiving| receiving.handler))
    }

    /// Sends a datagram, or queues it while the socket takes none. Room for it was taken before if it is
    /// `reserved`, and is the caller's again if the error is [`DatagramError::NotOpen`].
    pub(crate) fn send_datagram(
        &self,
        key: Key,
        data: &[u8],
        to: Option<SocketAddr>,
        reserved: bool,
    ) -> Result<(), DatagramError> {
        let sent = self.with_datagrams(key, |socket, writable| {
            if socket.finishing.is_some() {
                return Err(DatagramError::NotOpen);
            }
            let first = socket.queue.is_empty();
            let sent = socket.send(data, to, reserved);
            // Behind others it was not tried, and nothing is known of the socket.
            let tried = first || mutant!("datagram_behind_others_looks_blocked");
            let blocked = matches!(sent, Ok(false) | Err(DatagramError::QueueFull { .. }));
            *writable &= !(tried && blocked);
            sent
        });
        match sent {
            None => Err(DatagramError::NotOpen),
            Some(Ok(sent)) => {
                if sent {
                    self.shared.counters.bytes_out.add(data.len() as u64);
                }
                Ok(())
            }
            Some(Err(e)) => Err(e),
        }
    }

    /// Closes the socket when all that is queued is sent.
    pub(crate) fn finish_datagrams(&self, key: Key, reason: CloseReason) {
        let empty = self.with_datagrams(key, |socket, _| {
            socket.finishing.get_or_insert(reason.clone());
            socket.queue.is_empty()
        });
        if empty == Some(true) {
            self.begin_close(key, reason);
        }
    }

    /// Runs `f` on the socket and its writability; `None`: it is closing or gone.
    pub(crate) fn with_datagrams<R>(
        &self,
        key: Key,
        f: impl FnOnce(&mut DatagramSocket, &mut bool) -> R,
    ) -> Option<R> {
        let found = self.with_source(key, |slot| match &mut slot.io {
            Some(SourceIo::Datagrams(socket)) => Some(f(socket, &mut slot.writable)),
            _ => None,
        });
        found.flatten()
    }

    fn receive_datagram(&self, key: Key, buffer: &mut [u8]) -> Step {
        let step = self.with_source(key, |slot| match &mut slot.io {
            Some(SourceIo::Datagrams(socket)) if slot.readable && socket.finishing.is_none() => {
                socket.receive(&mut slot.readable, buffer)
            }
            _ => Step::Blocked,
        });
        step.unwrap_or(Step::Blocked)
    }

    fn send_waiting_datagram(&self, key: Key) -> Step {
        let step = self.with_datagrams(key, |socket, writable| match *writable {
            true => socket.send_waiting(writable),
            false => Step::Blocked,
        });
        step.unwrap_or(Step::Blocked)
    }
}

/// Refuses what no datagram to that address can hold.
pub(crate) fn check_size(size: usize, to: SocketAddr) -> Result<(), DatagramError> {
    let limit = match to.ip().to_canonical() {
        IpAddr::V4(_) => MAX_V4,
        IpAddr::V6(_) => MAX_V6,
    };
    match size <= limit {
        true => Ok(()),
        false => Err(DatagramError::TooLong { limit, size }),
    }
}

impl SourceHandler for Receiving {
    fn on_ready(&mut self, local: &LocalLoop, key: Key) {
        let core = local.core();
        self.send_waiting(local, key);
        let mut buffer = core.buffers.take_socket();
        let mut left = RECEIVES;
        loop {
            if left == 0 {
                if !mutant!("datagrams_after_budget_forgotten") {
                    core.mark_ready(key);
                }
                break;
            }
            left -= usize::from(!mutant!("datagrams_without_budget"));
            match core.receive_datagram(key, &mut buffer) {
                Step::Received(n, from) => {
                    core.shared.counters.bytes_in.add(n as u64);
                    let data = &mut buffer[..n];
                    core.call_user("datagram", || self.handler.on_datagram(local, data, from));
                }
                Step::Failed(e, to) => {
                    core.call_user("datagram error", || self.handler.on_error(local, &e, to));
                }
                Step::Blocked | Step::Sent { .. } => break,
            }
        }
        core.buffers.give_socket(buffer);
    }

    fn on_call(&mut self, local: &LocalLoop, _key: Key, call: SourceCall) {
        let core = local.core();
        match call {
            SourceCall::Opened => core.call_user("open", || self.handler.on_open(local)),
            SourceCall::Failed(e, to) => {
                core.call_user("datagram error", || self.handler.on_error(local, &e, to))
            }
            SourceCall::Interest(_) => None,
        };
    }

    fn on_stop(&mut self, local: &LocalLoop, key: Key) {
        local.core().finish_datagrams(key, CloseReason::Stopped);
    }

    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason) {
        let handler = self.handler;
        local
            .core()
            .call_user("datagram close", || handler.on_close(local, reason));
    }
}

impl Receiving {
    /// Sends what waits, as far as the socket takes it.
    fn send_waiting(&mut self, local: &LocalLoop, key: Key) {
        let core = local.core();
        for _ in 0..SENDS {
            match core.send_waiting_datagram(key) {
                Step::Blocked | Step::Received(..) => return,
                Step::Failed(e, to) => {
                    core.call_user("datagram error", || self.handler.on_error(local, &e, to));
                    let empty = core.with_datagrams(key, |socket, _| socket.queue.is_empty());
                    if empty != Some(false) {
                        if mutant!("last_datagram_failed_is_not_all_sent") {
                            return;
                        }
                        break; // that was the last one
                    }
                }
                Step::Sent { all: false } => {}
                Step::Sent { all: true } => break,
            }
        }
        let (empty, finishing) = core
            .with_datagrams(key, |socket, _| {
                (socket.queue.is_empty(), socket.finishing.clone())
            })
            .unwrap_or_default();
        match (empty, finishing) {
            (false, _) => core.mark_ready(key),
            (true, Some(reason)) => core.begin_close(key, reason),
            (true, None) => {
                core.call_user("write complete", || self.handler.on_drained(local));
            }
        }
    }
}

impl From<SendError> for DatagramError {
    fn from(e: SendError) -> Self {
        match e {
            SendError::NotOpen => Self::NotOpen,
            SendError::QueueFull {
                limit,
                queued,
                size,
            } => Self::QueueFull {
                limit,
                queued,
                size,
            },
            SendError::LoopClosed => Self::LoopClosed,
        }
    }
}
