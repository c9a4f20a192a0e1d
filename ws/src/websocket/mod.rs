//! A WebSocket on its loop, in either role: messages out and in, the heartbeat, the close handshake. The
//! client and the server are built on it.
//!
//! | module | holds |
//! |---|---|
//! | `options` | how a connection is kept and ended: what both roles can set |
//! | `outgoing` | what is sent as one, and what handles have for it |
//! | `sender` | the sending half: frames into the send queue, compressed messages, answers to Pings |
//! | `remote` | messages of other threads on their way to the loop |
//! | `reading` | the reading half: what the peer says |
//! | `unfinished` | the limit for a message that is under way |
//! | `error` | why a call was refused |
//! | `closing` | the close handshake, and failures |
//! | `verdict` | what is known of the end |
//! | `heartbeat`, `heart` | Pings, and when a silent peer is dead |

mod closing;
mod error;
mod heart;
mod heartbeat;
mod options;
mod outgoing;
mod reading;
mod remote;
mod sender;
mod unfinished;
mod verdict;

pub use self::error::{CloseError, PingError};
pub use self::options::WhenFull;
pub(crate) use self::options::{ConnectionOptions, connection_setters};
pub(crate) use self::outgoing::{Outgoing, handle_methods};
pub(crate) use self::reading::Reading;
pub(crate) use self::remote::post_message;

use self::heart::Heart;
use self::sender::Sender;
use self::unfinished::Unfinished;
use self::verdict::Verdict;
use crate::deflate::DeflateParams;
use crate::protocol::Role;
use hvloop_event::conn::{Conn, ConnId};
use hvloop_event::log;
use hvloop_event::{Attachment, LocalLoop, SendError, TimerId};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

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
pub(crate) struct WebSocket {
    options: Arc<ConnectionOptions>,
    owner: OnceCell<Arc<dyn Owner>>,
    conn: Cell<Option<ConnId>>,
    stage: Cell<Stage>,
    /// The user reads no further for now.
    paused: Cell<bool>,
    sender: Sender,
    heart: Heart,
    /// If there is a limit.
    unfinished: Option<Box<Unfinished>>,
    close_timer: Cell<Option<TimerId>>,
    /// Apart: most connections are not ending.
    verdict: RefCell<Option<Box<Verdict>>>,
}

/// What a WebSocket's handles share.
pub(crate) trait Owner {
    /// Told once, when the connection takes nothing more to send.
    fn closing(&self);
}

impl WebSocket {
    pub(crate) fn new(role: Role, options: Arc<ConnectionOptions>) -> Rc<Self> {
        let limited = options.message_timeout.is_some();
        Rc::new(Self {
            options,
            owner: OnceCell::new(),
            conn: Cell::new(None),
            stage: Cell::new(Stage::Opening),
            paused: Cell::new(false),
            sender: Sender::new(role),
            heart: Heart::default(),
            unfinished: limited.then(Box::default),
            close_timer: Cell::new(None),
            verdict: RefCell::default(),
        })
    }

    /// Whose it is; the first one counts.
    pub(crate) fn set_owner(&self, owner: Arc<dyn Owner>) {
        self.owner.get_or_init(|| owner);
    }

    /// Whether nothing has become of it yet.
    pub(crate) fn is_unused(&self) -> bool {
        let is_new = self.stage() == Stage::Opening && self.conn.get().is_none();
        is_new && self.verdict.borrow().is_none()
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

    fn open_conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        match self.stage.get() {
            Stage::Open => self.conn(local),
            _ => None,
        }
    }

    /// The upgrade is done: messages go both ways from now on, compressed if that was agreed on.
    pub(crate) fn open(self: &Rc<Self>, conn: &Conn<'_>, deflate: Option<&DeflateParams>) {
        let limit = conn.budget().map_or(0, |budget| budget.limit());
        conn.opened();
        conn.set_water_marks(limit / 4, limit / 2);
        if let (Some(options), Some(params)) = (&self.options.deflate, deflate) {
            self.sender.set_deflate(conn.local(), options, params);
        }
        self.stage.set(Stage::Open);
        self.heart.start(self, conn);
    }

    /// Queues a frame or a message, on the loop's thread: whole, or not at all.
    pub(crate) fn send(
        self: &Rc<Self>,
        local: &LocalLoop,
        message: Outgoing<'_>,
    ) -> Result<(), SendError> {
        let conn = self.open_conn(local).ok_or(SendError::NotOpen)?;
        let sent = self.sender.send(&conn, &message);
        sent.inspect_err(|e| self.refused(local, *e))
    }

    /// Queues what another thread took room for. `false`: the connection is not open, and the room is
    /// the caller's to give back.
    pub(crate) fn send_reserved(&self, local: &LocalLoop, message: Outgoing<'_>) -> bool {
        let Some(conn) = self.open_conn(local) else {
            return false;
        };
        if let Err(e) = self.sender.send_reserved(&conn, &message) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    /// Queues a whole frame that other queues hold, too, and for which room was taken. `false`: as in
    /// [`send_reserved`](Self::send_reserved).
    pub(crate) fn send_encoded(
        &self,
        local: &LocalLoop,
        frame: &Arc<[u8]>,
        compressed: bool,
    ) -> bool {
        let Some(conn) = self.open_conn(local) else {
            return false;
        };
        if let Err(e) = self.sender.send_encoded(&conn, frame, compressed) {
            log::debug!("hvloop: a message was too late: {e}");
        }
        true
    }

    /// The Pong that was queued has gone.
    pub(crate) fn sent(&self, conn: &Conn<'_>) {
        if self.stage() == Stage::Open {
            self.sender.pong_has_left(conn);
        }
    }

    /// Whether messages are held back. Only while open: a close reads on.
    fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Reads no further, and holds back what was read already.
    pub(crate) fn pause_reading(&self, local: &LocalLoop) {
        if self.stage() != Stage::Open {
            return;
        }
        self.paused.set(true);
        // If it broke in this turn there is none, and what was read before is not delivered.
        if let Some(conn) = self.conn(local) {
            conn.pause_reading();
        }
    }

    /// Reads on, behind what is held back.
    pub(crate) fn resume_reading(&self, local: &LocalLoop) {
        if !self.paused.replace(false) {
            return;
        }
        if let Some(conn) = self.conn(local) {
            self.is_not_to_blame(local);
            // The handler has what is held back, and reads the socket again when that is done.
            conn.call_handler();
        }
    }

    /// What the peer said meanwhile was not read: its times begin anew.
    fn is_not_to_blame(&self, local: &LocalLoop) {
        self.heart.life(local.clock_now());
        if let Some(unfinished) = &self.unfinished {
            unfinished.waited(local.clock_now());
        }
    }

    /// The connection has ended: nothing of it is left on the loop.
    pub(crate) fn ended(&self, local: &LocalLoop) {
        self.conn.set(None);
        self.stage.set(Stage::Done);
        self.sender.end(local);
        self.heart.stop(local);
        if let Some(unfinished) = &self.unfinished {
            unfinished.stop(local);
        }
        if let Some(timer) = self.close_timer.take() {
            local.kill_timer(timer);
        }
    }
}

/// On the loop for handles to find it; its connection's handler is told of the stop and the end.
impl Attachment for WebSocket {
    fn on_stop(&self, _local: &LocalLoop) {}

    fn on_loop_end(&self, _local: &LocalLoop) {}
}
