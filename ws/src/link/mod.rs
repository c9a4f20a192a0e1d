//! A WebSocket connection on its loop, in either role: frames out and in, the heartbeat, the close
//! handshake. The client and the server are built on it.
//!
//! | module | holds |
//! |---|---|
//! | `sending` | messages and control frames on their way out |
//! | `compression` | compressed messages on their way out |
//! | `remote` | messages of other threads on their way to the loop |
//! | `reading` | what the peer says |
//! | `pongs` | answers to Pings, also where the line is full |
//! | `pausing` | reading that is paused by the user |
//! | `closing` | the close handshake, failures, and what is known of the end |
//! | `unfinished` | the limit for a message that is under way |
//! | `when_full` | what becomes of a connection whose send queue is full |
//! | `heartbeat` | Pings, and when a silent peer is dead |

mod closing;
mod compression;
mod heartbeat;
mod pausing;
mod pongs;
mod reading;
mod remote;
mod sending;
mod unfinished;
mod when_full;

use self::closing::Verdict;
use self::compression::Compression;
use self::heartbeat::Heartbeat;
use self::pongs::Pongs;
use self::unfinished::Unfinished;
use crate::deflate::{DeflateOptions, DeflateParams};
use crate::protocol::{Limits, Role};
use hvloop_event::conn::{Conn, ConnId};
use hvloop_event::{Attachment, LocalLoop, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub(crate) use self::reading::Reading;
pub(crate) use self::remote::post_message;
pub(crate) use self::sending::Outgoing;
pub use self::when_full::WhenFull;

/// How a connection is kept and ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkOptions {
    pub(crate) limits: Limits,
    pub(crate) close_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) pong_deadline: Duration,
    pub(crate) message_timeout: Option<Duration>,
    pub(crate) when_full: WhenFull,
}

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not a WebSocket yet: DNS, connect, TLS, upgrade.
    Opening,
    /// Messages go both ways.
    Open,
    /// Our Close is out, the peer's is awaited.
    CloseSent,
    /// Nothing more is read or sent.
    Done,
}

/// See the module. Lives on the loop's thread from before the upgrade to `on_close`.
pub(crate) struct Link {
    role: Role,
    options: LinkOptions,
    /// Told once, when the connection takes nothing more to send.
    on_closing: Box<dyn Fn()>,
    conn: Cell<Option<ConnId>>,
    stage: Cell<Stage>,
    close_timer: Cell<Option<TimerId>>,
    heart: RefCell<Option<(Heartbeat, TimerId)>>,
    compression: RefCell<Option<Compression>>,
    verdict: RefCell<Verdict>,
    pongs: Cell<Pongs>,
    unfinished: Unfinished,
    /// The user reads no further for now.
    paused: Cell<bool>,
}

impl Link {
    pub(crate) fn new(role: Role, options: LinkOptions, on_closing: Box<dyn Fn()>) -> Rc<Self> {
        Rc::new(Self {
            role,
            options,
            on_closing,
            conn: Cell::new(None),
            stage: Cell::new(Stage::Opening),
            close_timer: Cell::new(None),
            heart: RefCell::default(),
            compression: RefCell::default(),
            verdict: RefCell::default(),
            pongs: Cell::default(),
            unfinished: Unfinished::default(),
            paused: Cell::new(false),
        })
    }

    /// The connection under it.
    pub(crate) fn set_conn(&self, conn: ConnId) {
        self.conn.set(Some(conn));
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    fn conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        local.conn(self.conn.get()?)
    }

    /// The upgrade is done: messages go both ways from now on.
    pub(crate) fn open(self: &Rc<Self>, conn: &Conn<'_>) {
        let limit = conn.budget().map_or(0, |budget| budget.limit());
        conn.opened();
        conn.set_water_marks(limit / 4, limit / 2);
        self.stage.set(Stage::Open);
        self.start_heartbeat(conn);
    }

    /// The upgrade agreed on permessage-deflate; before [`open`](Self::open).
    pub(crate) fn set_deflate(
        &self,
        local: &LocalLoop,
        options: &DeflateOptions,
        params: &DeflateParams,
    ) {
        let compression = Compression::new(self.role, options, params, local.clock_now());
        *self.compression.borrow_mut() = compression;
    }

    /// Goes on to a later stage, from which on nothing can be sent; the stage that it was in.
    fn leave(&self, to: Stage) -> Stage {
        let from = self.stage.replace(to);
        if matches!(from, Stage::Opening | Stage::Open) {
            (self.on_closing)();
        }
        from
    }

    /// The connection has ended: nothing of it is left on the loop.
    pub(crate) fn ended(&self, local: &LocalLoop) {
        self.conn.set(None);
        self.stage.set(Stage::Done);
        let timers = [
            self.close_timer.take(),
            self.unfinished.timer.take(),
            self.heart.take().map(|(_, timer)| timer),
            self.compression
                .take()
                .and_then(|compression| compression.timer),
        ];
        for timer in timers.into_iter().flatten() {
            local.kill_timer(timer);
        }
    }
}

/// On the loop for handles to find it; its connection's handler is told of the stop and the end.
impl Attachment for Link {
    fn on_stop(&self, _local: &LocalLoop) {}

    fn on_loop_end(&self, _local: &LocalLoop) {}
}
