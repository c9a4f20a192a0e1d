//! A socket for datagrams, and what waits for it.

use crate::error::{CloseReason, DatagramError};
use crate::sys::Datagrams;
use crate::transport::budget::SendBudget;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// All of it but its handler; borrowed for moments.
pub(super) struct State {
    pub(super) socket: Datagrams,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) queue: VecDeque<Waiting>,
    budget: Arc<SendBudget>,
    /// Bytes of those that waited and were sent, of which the handler was not told.
    pub(super) untold: usize,
    /// To be closed when all is sent.
    pub(super) finishing: Option<CloseReason>,
}

pub(super) struct Waiting {
    data: Vec<u8>,
    to: Option<SocketAddr>,
}

/// One step of a socket.
pub(super) enum Step {
    Received(usize, SocketAddr),
    /// Nothing waits, or the socket takes no more.
    Blocked,
    Sent {
        all: bool,
    },
    Failed(io::Error, Option<SocketAddr>),
}

impl State {
    pub(super) fn new(socket: Datagrams, budget: Arc<SendBudget>) -> Self {
        Self {
            socket,
            readable: false,
            writable: false,
            queue: VecDeque::new(),
            budget,
            untold: 0,
            finishing: None,
        }
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
    pub(super) fn send(
        &mut self,
        data: &[u8],
        to: Option<SocketAddr>,
        reserved: bool,
    ) -> Result<bool, DatagramError> {
        if self.finishing.is_some() {
            return Err(DatagramError::NotOpen);
        }
        // Behind others it is not tried, and nothing is known of the socket.
        let tried = self.queue.is_empty();
        let sent = self.send_now(data, to);
        if matches!(sent, Ok(false)) {
            self.writable &= !tried;
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

    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Step {
        if !self.readable || self.finishing.is_some() {
            return Step::Blocked;
        }
        loop {
            match self.socket.receive(buffer) {
                Ok((n, from)) => return Step::Received(n, from),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Step::Blocked;
                }
                // Usually: nobody listens where something was sent to (ICMP). Others may wait.
                Err(e) => return Step::Failed(e, None),
            }
        }
    }

    /// Sends the next one that waits.
    pub(super) fn send_waiting(&mut self) -> Step {
        let Some(next) = self.queue.front().filter(|_| self.writable) else {
            return Step::Blocked;
        };
        let sent = loop {
            match self.socket.send(&next.data, next.to) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                sent => break sent,
            }
        };
        if matches!(&sent, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
            self.writable = false;
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
        let size = next.data.len();
        self.budget.release(size);
        self.queue.pop_front();
        match sent {
            Ok(_) => {
                self.untold += size;
                Step::Sent {
                    all: self.queue.is_empty(),
                }
            }
            Err(e) => Step::Failed(e, to),
        }
    }
}

impl Drop for State {
    /// What was queued is off the account: it reaches nobody.
    fn drop(&mut self) {
        let unsent = self.queue.iter().map(|waiting| waiting.data.len()).sum();
        self.budget.release(unsent);
    }
}
