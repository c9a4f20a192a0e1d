//! What the peer says.

use super::heartbeat::{Beat, Heartbeat, Line};
use super::{Link, Stage};
use crate::deflate::DeflateParams;
use crate::event::{ConnectionError, Initiator, Message};
use crate::mutant::mutant;
use crate::protocol::{Control, Event, Found, Input, Reader};
use hvloop_event::CloseReason;
use hvloop_event::conn::Conn;
use std::rc::Rc;
use std::time::Duration;

/// The close code for a message that takes too long.
const POLICY_VIOLATION: u16 = 1008;

/// What a frame costs besides its bytes, in the account of [`Conn::spend`].
const FRAME: usize = 32;

/// The reading half of a connection, which its handler owns.
pub(crate) struct Reading {
    link: Rc<Link>,
    reader: Reader,
    /// What was read, and is behind the message in which the user paused, or the turn came to its end.
    held: Vec<u8>,
    /// How far that is done: a user may pause at each message of it.
    held_done: usize,
    /// The turn came to its end before what was read.
    behind: bool,
    /// The stream has ended behind that.
    ended: bool,
    /// What the loop was told of the memory that this takes.
    told: usize,
}

impl Reading {
    pub(crate) fn new(link: &Rc<Link>) -> Self {
        Self {
            link: link.clone(),
            reader: Reader::new(link.role, link.options.limits),
            held: Vec::new(),
            held_done: 0,
            behind: false,
            ended: false,
            told: 0,
        }
    }

    /// The upgrade agreed on permessage-deflate.
    pub(crate) fn set_deflate(&mut self, params: &DeflateParams) {
        self.reader.set_deflate(params);
    }

    /// Reads frames until the input, the connection or the turn is at its end, or the user pauses.
    /// `deliver` has the user's callback called; `None` of it: that panicked, which closes the connection
    /// with 1011.
    pub(crate) fn frames(
        &mut self,
        conn: &Conn<'_>,
        data: &mut [u8],
        deliver: &mut dyn FnMut(Message<'_>) -> Option<()>,
    ) {
        let left = match self.link.is_paused() || self.holds_back() {
            // Read before the pause, and decrypted only now.
            true => data.len(),
            false => self.parse(conn, data, deliver),
        };
        self.held.extend_from_slice(&data[data.len() - left..]);
        self.tell_memory(conn);
    }

    /// Tells the loop what memory this takes, if that has changed.
    fn tell_memory(&mut self, conn: &Conn<'_>) {
        let memory = self.reader.memory() + self.held.capacity();
        if memory != self.told {
            self.told = memory;
            conn.set_gathered(memory);
        }
    }

    /// The connections of the loop hold too much, and this one the most.
    pub(crate) fn give_back(&mut self, conn: &Conn<'_>, limit: usize) {
        let (gathered, held) = (self.reader.memory(), self.held.capacity());
        let error = ConnectionError::MemoryLimit(limit);
        if conn.queue_memory() >= gathered + held || self.link.stage() != Stage::Open {
            // Behind what is queued a Close would get nowhere.
            self.link.blame(Initiator::Local, Some(error));
            conn.close_now(CloseReason::MemoryLimit(limit));
        } else {
            let code = if gathered >= held { 1009 } else { 1008 };
            self.link.fail(conn.local(), code, Initiator::Local, error);
        }
        // Nothing more is read.
        self.reader = Reader::new(self.link.role, self.link.options.limits);
        self.held = Vec::new();
        self.held_done = 0;
        self.behind = false;
        self.tell_memory(conn);
    }

    /// Whether something that was read is not done.
    fn holds_back(&self) -> bool {
        self.behind || !self.held.is_empty()
    }

    /// How many bytes at the end are left, since the user paused or the turn is over.
    fn parse(
        &mut self,
        conn: &Conn<'_>,
        data: &mut [u8],
        deliver: &mut dyn FnMut(Message<'_>) -> Option<()>,
    ) -> usize {
        let (link, local) = (&self.link, conn.local());
        let mut input = Input::new(data);
        while matches!(link.stage(), Stage::Open | Stage::CloseSent) {
            let open = link.stage() == Stage::Open || mutant!("delivered_after_close");
            if !open {
                self.reader.skip_messages();
            }
            let found = self.reader.next_within(&mut input);
            let is_busy = matches!(found, Ok(Found::Busy));
            let delivered = match found {
                Ok(Found::Event(Event::Text(text))) if open => deliver(Message::Text(text)),
                Ok(Found::Event(Event::Binary(bytes))) if open => deliver(Message::Binary(bytes)),
                Ok(Found::Event(Event::Ping(payload))) if open => {
                    link.pong(conn, payload);
                    Some(())
                }
                Ok(Found::Event(Event::Close(frame))) => {
                    let (code, reason) = frame.unwrap_or((1005, ""));
                    link.peer_closed(local, code, reason);
                    Some(())
                }
                // A Pong is life, as any byte. After our Close, what still comes is discarded.
                Ok(Found::Event(_) | Found::Busy) => Some(()),
                Ok(Found::Nothing) => break,
                Err(e) => {
                    let code = e.close_code();
                    let error = ConnectionError::Protocol(e);
                    link.fail(local, code, Initiator::Local, error);
                    Some(())
                }
            };
            if delivered.is_none() {
                link.fail_panicked(local);
            }
            if !self.reader.is_inside() {
                link.message_finished();
            }
            let may_go_on = conn.spend(FRAME + self.reader.take_work());
            if link.is_paused() {
                return input.remaining();
            }
            if !may_go_on && (is_busy || input.remaining() > 0) {
                self.behind = true;
                link.message_waited(local);
                conn.read_later();
                return input.remaining();
            }
        }
        if self.reader.is_inside() && link.stage() == Stage::Open {
            link.message_unfinished(conn);
        }
        0
    }

    /// A message takes the peer too long.
    fn fail_if_overdue(&mut self, conn: &Conn<'_>) {
        let local = conn.local();
        if !self.holds_back()
            && let Some(limit) = self.link.message_overdue(local)
            && !mutant!("message_without_end")
        {
            self.reader.skip_messages();
            let error = ConnectionError::MessageTimedOut(limit);
            self.link
                .fail(local, POLICY_VIOLATION, Initiator::Local, error);
        }
    }

    /// The user reads on: what was held back first, then the socket.
    pub(crate) fn resume(
        &mut self,
        conn: &Conn<'_>,
        deliver: &mut dyn FnMut(Message<'_>) -> Option<()>,
    ) {
        if self.link.is_paused() {
            return;
        }
        self.fail_if_overdue(conn);
        let mut held = std::mem::take(&mut self.held);
        if mutant!("held_back_lost") {
            held.clear();
        }
        let done = std::mem::take(&mut self.held_done);
        let is_inside = self.reader.is_inside();
        if std::mem::take(&mut self.behind) || !held.is_empty() || is_inside {
            let left = self.parse(conn, &mut held[done..], deliver);
            if left > 0 {
                self.held_done = held.len() - left;
                self.held = held;
            }
        }
        self.tell_memory(conn);
        match self.ended && !self.holds_back() && !self.link.is_paused() {
            true => self.link.end_of_stream(conn),
            false => self.link.read_socket(conn),
        }
    }

    /// The stream has ended; behind what is held back.
    pub(crate) fn end_of_stream(&mut self, conn: &Conn<'_>) {
        if self.link.is_paused() || self.holds_back() {
            self.ended = true;
        } else {
            self.link.end_of_stream(conn);
        }
    }
}

impl Link {
    /// The peer counts as alive now: nobody was to hear of it.
    pub(crate) fn life(&self, conn: &Conn<'_>) {
        if let Some((heart, _)) = &mut *self.heart.borrow_mut() {
            heart.life(conn.local().clock_now());
        }
    }

    pub(super) fn start_heartbeat(self: &Rc<Self>, conn: &Conn<'_>) {
        let Some(interval) = self.options.ping_interval else {
            return;
        };
        let local = conn.local();
        let heart = Heartbeat::new(interval, self.options.pong_deadline, local.clock_now());
        let link = Rc::downgrade(self);
        let (id, at) = (conn.id(), local.clone());
        let timer = local.set_interval(interval, move |timer| {
            let (Some(link), Some(conn)) = (link.upgrade(), at.conn(id)) else {
                return;
            };
            at.reset_timer(timer, link.beat(&conn));
        });
        *self.heart.borrow_mut() = Some((heart, timer));
    }

    /// The heartbeat's timer; when to look again.
    fn beat(&self, conn: &Conn<'_>) -> Option<Duration> {
        if self.stage() != Stage::Open {
            return None; // the close handshake has a deadline of its own
        }
        if self.is_paused() && !mutant!("silent_while_paused") {
            // Nobody would see its Pong.
            self.life(conn);
            return self.options.ping_interval;
        }
        // A peer that reads has room, told or not.
        conn.try_to_write();
        let line = Line {
            busy: conn.unsent() > 0,
            taken: conn.write_progress(),
            read: conn.last_read(),
        };
        let now = conn.local().now();
        let beat = {
            let mut heart = self.heart.borrow_mut();
            let (heart, _) = heart.as_mut()?;
            heart.beat(now, line)
        };
        match beat {
            Beat::Wait(next) => Some(next),
            Beat::Ping(next) => {
                self.control(conn, Control::Ping, b"");
                // Not behind the callbacks of this turn: they may take as long as the peer has.
                if !mutant!("ping_behind_callbacks") {
                    conn.try_to_write();
                }
                if let Some((heart, _)) = &mut *self.heart.borrow_mut() {
                    heart.pinged(conn.local().clock_now(), conn.unsent() > 0);
                }
                Some(next)
            }
            Beat::Dead(silent) => {
                self.blame(Initiator::Local, Some(ConnectionError::PeerSilent(silent)));
                conn.close_now(CloseReason::Silent(silent));
                None
            }
        }
    }
}
