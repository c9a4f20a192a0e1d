//! Both ends of one connection, and what lies between.

use super::fd::End;
use super::peer::Peer;
use crate::sys::sim::watch::Edge;
use crate::sys::{Address, Key};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sys::sim) enum LinkState {
    Connecting,
    Up,
    Failed(io::ErrorKind),
}

/// A place in a stream where a read stops although more is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sys::sim) struct ReadStop {
    /// So many bytes of what has arrived are before it.
    pub(in crate::sys::sim) after: usize,
    /// For urgent data, of which the poller tells; else for descriptors that came along, of which the
    /// read tells.
    pub(in crate::sys::sim) urgent: bool,
}

/// Both ends of one connection.
// Large: all that a real kernel and a real peer know of a connection, which may be in any state.
pub(crate) struct Link {
    /// Of the other side.
    pub(in crate::sys::sim) address: Address,
    /// Of the loop's side.
    pub(in crate::sys::sim) local: Address,
    pub(in crate::sys::sim) state: LinkState,
    pub(in crate::sys::sim) open: bool,
    /// In a listener's backlog: no descriptor of the loop's yet.
    pub(in crate::sys::sim) waiting: bool,
    pub(in crate::sys::sim) poller: Option<(usize, Key)>,
    pub(in crate::sys::sim) readable: Edge,
    pub(in crate::sys::sim) writable: Edge,
    pub(in crate::sys::sim) hangup: bool,
    /// Arrived and not read.
    pub(in crate::sys::sim) inbound: VecDeque<u8>,
    /// Where a read stops although more is there.
    pub(in crate::sys::sim) stop: Option<ReadStop>,
    /// Under way to the loop.
    pub(in crate::sys::sim) coming: usize,
    pub(in crate::sys::sim) inbound_end: Option<End>,
    /// Room for writes.
    pub(in crate::sys::sim) room: usize,
    /// A write found too little room.
    pub(in crate::sys::sim) starved: bool,
    pub(in crate::sys::sim) fin_sent: bool,
    /// What the loop's side sent is lost from here on.
    pub(in crate::sys::sim) lost: bool,
    /// The peer; `None` while it is called, and before the connect.
    pub(in crate::sys::sim) peer: Option<Box<dyn Peer>>,
    pub(in crate::sys::sim) peer_out: VecDeque<u8>,
    pub(in crate::sys::sim) peer_end: Option<End>,
    /// The end was put on its way.
    pub(in crate::sys::sim) peer_ended: bool,
    pub(in crate::sys::sim) peer_reads: bool,
    pub(in crate::sys::sim) unread_by_peer: VecDeque<u8>,
    /// The loop's end of the stream, behind what the peer has not read.
    pub(in crate::sys::sim) end_for_peer: Option<End>,
    pub(in crate::sys::sim) peer_told_end: bool,
    /// When the last of each direction arrives: nothing overtakes.
    pub(in crate::sys::sim) last_to_loop: Duration,
    pub(in crate::sys::sim) last_to_peer: Duration,
    pub(in crate::sys::sim) moved: Moved,
    /// After which poll it was read last, and how often since.
    pub(in crate::sys::sim) reads: (u64, u32),
}

/// When bytes of a connection last went anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    /// The loop's side read some.
    pub read: Duration,
    /// Its socket took some.
    pub written: Duration,
    /// It took the end of the stream, which is no byte.
    pub ended: Duration,
    /// The peer took some.
    pub taken: Duration,
}

impl Link {
    pub(super) fn is_ready(&self, poller: usize) -> bool {
        let mine = self.poller.is_some_and(|(id, _)| id == poller);
        mine && (self.readable.set || self.writable.set || self.hangup)
    }

    /// Whether the connect has ended.
    pub(in crate::sys::sim) fn connected(&mut self) -> io::Result<bool> {
        match self.state {
            LinkState::Connecting => Ok(false),
            LinkState::Up if self.is_broken() => Err(io::ErrorKind::ConnectionReset.into()),
            LinkState::Up => Ok(true),
            LinkState::Failed(kind) => Err(kind.into()),
        }
    }

    /// A new one; what is sent on it arrives as the world says.
    pub(in crate::sys::sim) fn new(address: Address, local: Address, window: usize) -> Self {
        Self {
            address,
            local,
            state: LinkState::Connecting,
            open: true,
            waiting: false,
            poller: None,
            readable: Edge::default(),
            writable: Edge::default(),
            hangup: false,
            inbound: VecDeque::new(),
            stop: None,
            coming: 0,
            inbound_end: None,
            room: window,
            starved: false,
            fin_sent: false,
            lost: false,
            peer: None,
            peer_out: VecDeque::new(),
            peer_end: None,
            peer_ended: false,
            peer_reads: true,
            unread_by_peer: VecDeque::new(),
            end_for_peer: None,
            peer_told_end: false,
            last_to_loop: Duration::ZERO,
            last_to_peer: Duration::ZERO,
            moved: Moved::default(),
            reads: (0, 0),
        }
    }

    pub(in crate::sys::sim) fn peer_addr(&self) -> io::Result<Address> {
        match self.state {
            LinkState::Up => Ok(self.address.clone()),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// A poller that begins to look tells what holds already.
    pub(super) fn looked_at(&mut self) {
        if self.state == LinkState::Up {
            let ended = self.inbound_end.is_some();
            self.readable = Edge::default();
            self.writable = Edge::default();
            self.readable.set = ended || !self.inbound.is_empty();
            self.writable.set = self.room > 0;
            self.hangup = ended;
        }
    }

    pub(in crate::sys::sim) fn mark_readable(&mut self, drained_by_short_io: bool) {
        self.readable.mark(drained_by_short_io);
    }

    pub(in crate::sys::sim) fn mark_writable(&mut self, drained_by_short_io: bool) {
        self.writable.mark(drained_by_short_io);
    }

    /// Cuts a read of so many bytes at the place where it has to stop. `true`: descriptors came along,
    /// as the read tells.
    pub(super) fn stops_read(&mut self, count: &mut usize) -> bool {
        let Some(stop) = &mut self.stop else {
            return false;
        };
        if stop.after > *count {
            stop.after -= *count;
            return false;
        }
        let ReadStop { after, urgent } = *stop;
        self.stop = None;
        // A read that begins at urgent data goes on behind it.
        if after == 0 {
            return false;
        }
        *count = after;
        !urgent
    }

    pub(in crate::sys::sim) fn is_broken(&self) -> bool {
        self.inbound_end == Some(End::Reset)
    }
}
