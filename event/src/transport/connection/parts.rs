//! What the state of a connection is made of.

use crate::conn::Connect;
use crate::core::share::Share;
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::machine::ending::Ending;
use crate::machine::race::ConnectRace;
use crate::machine::read_side::ReadSide;
use crate::machine::write_side::WriteSide;
use crate::proxy::Tunnel;
use crate::sys::{Address, JobToken, ShortAddress, Stream};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The deadlines that a connection has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Open by now, or time out.
    Open,
    /// The next address of the race.
    Race,
    /// Some of the queue written by now, or stalled.
    Stall,
    /// The peer's end has come by now, or closed by force.
    Linger,
    /// Something read (or written) by now, or quiet for too long.
    Quiet,
    /// Closed by now, as the peer goes on sending.
    Flood,
}

impl Timer {
    /// All of them, each at its number.
    pub(crate) const ALL: [Self; 6] = {
        use Timer::*;
        [Open, Race, Stall, Linger, Quiet, Flood]
    };
}

/// Its own timers, each at its [`Timer`]. Apart: most connections have none.
#[derive(Default)]
pub(crate) struct OwnTimers(Option<Box<[Option<TimerId>; Timer::ALL.len()]>>);

impl OwnTimers {
    /// Whether that one is armed.
    pub(crate) fn is_armed(&self, which: Timer) -> bool {
        let timers = self.0.as_ref();
        timers.is_some_and(|timers| timers[which as usize].is_some())
    }

    /// That one is armed.
    pub(crate) fn set(&mut self, which: Timer, timer: Option<TimerId>) {
        if timer.is_some() {
            self.0.get_or_insert_default()[which as usize] = timer;
        }
    }

    /// That one has fired, or is to be killed.
    pub(crate) fn take(&mut self, which: Timer) -> Option<TimerId> {
        let timers = self.0.as_mut()?;
        let timer = timers[which as usize].take();
        if timers.iter().all(Option::is_none) {
            self.0 = None;
        }
        timer
    }
}

/// The socket, which has gone where there are still addresses.
#[derive(Default)]
pub(crate) struct Socket {
    pub(crate) stream: Option<Stream>,
    pub(crate) peer: Option<ShortAddress>,
    pub(crate) local: Option<ShortAddress>,
}

/// What comes in.
pub(crate) struct Reading {
    pub(crate) side: ReadSide,
    /// The user reads no further for now.
    pub(crate) paused: bool,
    /// Whether it waits, since all of its server hold too much.
    pub(crate) held_up: HeldUp,
    /// The handler has kept some of what was read, and goes on with it before more is read.
    pub(crate) behind: bool,
    /// When something was last read.
    pub(crate) last: Instant,
}

/// Whether a connection waits before it is read, since all of its server together hold too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldUp {
    No,
    Yes,
    /// It is ending: nothing of what comes is kept.
    Never,
}

/// What goes out.
pub(crate) struct Writing {
    pub(crate) side: WriteSide,
    /// The socket takes more, as far as is known.
    pub(crate) writable: bool,
    /// The low and the high mark of the queue, in bytes; it never holds more than `usize::MAX`.
    pub(crate) marks: (usize, usize),
    /// The queue passed the high mark, and the handler waits for the low one.
    pub(crate) above_high: bool,
    /// Bytes accepted that the handler was not told have gone: those of the queue, and others.
    pub(crate) untold: usize,
    /// Bytes of the queue that go before the handler is told that they have gone; 0: it is not.
    pub(crate) ahead: usize,
    /// When the socket last took bytes, or the queue became non-empty.
    pub(crate) progress: Instant,
}

/// What is counted of it.
#[derive(Default)]
pub(crate) struct Held {
    /// Bytes of memory that the handler holds of what came.
    pub(crate) gathered: usize,
    /// What is on the loop's account of memory for this connection.
    pub(crate) charged: usize,
    /// And on that of its server, if it has one.
    pub(crate) share: Option<Rc<Share>>,
}

/// How it ends.
pub(crate) struct End {
    pub(crate) ending: Ending<CloseReason>,
    /// Bytes that are still read, and discarded; `None`: as many as the system holds, and some more.
    pub(crate) may_discard: Option<usize>,
    /// Bytes accepted that nobody will send: known once it is closed.
    pub(crate) lost: usize,
}

/// What is needed only until there is a stream to the target.
pub(crate) struct Connecting {
    pub(crate) options: Connect,
    /// The handshake with the proxy, if there is one.
    pub(crate) tunnel: Option<Box<Tunnel>>,
    pub(crate) race: Option<ConnectRace<Address>>,
    pub(crate) sockets: Vec<(usize, Address, Stream)>,
    pub(crate) lookup: Option<JobToken>,
    /// The one address, of a Unix socket, whose backlog is full.
    pub(crate) full: Option<Box<FullBacklog>>,
    pub(crate) last_error: Option<(Address, Arc<io::Error>)>,
}

/// A connect that is tried again at the next [`Timer::Race`].
#[derive(Debug, Clone)]
pub(crate) struct FullBacklog {
    pub(crate) index: usize,
    pub(crate) address: Address,
    /// How long it waits the next time.
    pub(crate) pause: Duration,
}
