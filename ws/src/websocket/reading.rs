//! What the peer says.

use super::{Stage, WebSocket};
use crate::deflate::DeflateParams;
use crate::events::{ConnectionError, Initiator, Message};
use crate::protocol::{Buffers, Event, Found, Input, Reader};
use hvloop_event::CloseReason;
use hvloop_event::conn::Conn;
use std::rc::Rc;

/// The close code for a message that takes too long.
const POLICY_VIOLATION: u16 = 1008;

/// What a frame costs besides its bytes, in the account of [`Conn::spend`].
const FRAME: usize = 32;

/// The reading half of a connection, which its handler owns.
pub(crate) struct Reading {
    ws: Rc<WebSocket>,
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

/// Messages that are not whole lie in buffers of the loop.
impl Buffers for Conn<'_> {
    fn take(&self, size: usize, ideal: usize) -> Vec<u8> {
        self.take_buffer(size, ideal)
    }

    fn give(&self, buffer: Vec<u8>) {
        self.give_buffer(buffer);
    }
}

impl Reading {
    pub(crate) fn new(ws: &Rc<WebSocket>) -> Self {
        Self {
            ws: ws.clone(),
            reader: Reader::new(ws.sender.role(), ws.options.limits),
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
        let left = match self.ws.is_paused() || self.holds_back() {
            // Read before the pause, and decrypted only now.
            true => data.len(),
            false => self.parse(conn, data, deliver),
        };
        if left > 0 {
            if self.held.capacity() == 0 {
                self.held = conn.take_buffer(left, left);
                self.held.clear();
            }
            self.held.extend_from_slice(&data[data.len() - left..]);
        }
        self.tell_memory(conn);
    }

    /// Where the next bytes from the peer may be read to, if they are the rest of something long.
    pub(crate) fn room(&mut self, conn: &Conn<'_>) -> Option<&mut [u8]> {
        let reads_on = self.ws.stage() == Stage::Open && !self.ws.is_paused() && !self.holds_back();
        match reads_on {
            true => self.reader.room(conn),
            false => None,
        }
    }

    /// So many bytes were read to there. As [`frames`](Self::frames).
    pub(crate) fn filled(
        &mut self,
        conn: &Conn<'_>,
        size: usize,
        deliver: &mut dyn FnMut(Message<'_>) -> Option<()>,
    ) {
        self.reader.filled(size);
        self.parse(conn, &mut [], deliver);
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
        if conn.queue_memory() >= gathered + held || self.ws.stage() != Stage::Open {
            // Behind what is queued a Close would get nowhere.
            self.ws.blame(Initiator::Local, Some(error));
            conn.close_now(CloseReason::MemoryLimit(limit));
        } else {
            let code = if gathered >= held { 1009 } else { 1008 };
            self.ws.fail(conn.local(), code, Initiator::Local, error);
        }
        // Nothing more is read.
        self.reader = Reader::new(self.ws.sender.role(), self.ws.options.limits);
        self.held = Vec::new();
        self.held_done = 0;
        self.behind = false;
        self.tell_memory(conn);
    }

    /// How many bytes are to come until what is gathered can be handed on, as far as the peer has said.
    pub(crate) fn missing(&self) -> Option<usize> {
        match self.holds_back() {
            true => Some(0), // that may be all there
            false => self.reader.missing(),
        }
    }

    /// The connection was held up, and is read on.
    pub(crate) fn reads_on(&self, conn: &Conn<'_>) {
        self.ws.is_not_to_blame(conn.local());
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
        let (ws, local) = (&self.ws, conn.local());
        let mut input = Input::new(data);
        while matches!(ws.stage(), Stage::Open | Stage::CloseSent) {
            let open = ws.stage() == Stage::Open;
            if !open {
                self.reader.skip_messages();
            }
            let found = self.reader.next_within(&mut input, conn);
            let is_busy = matches!(found, Ok(Found::Busy));
            let delivered = match found {
                Ok(Found::Event(Event::Text(text))) if open => deliver(Message::Text(text)),
                Ok(Found::Event(Event::Binary(bytes))) if open => deliver(Message::Binary(bytes)),
                Ok(Found::Event(Event::Ping(payload))) if open => {
                    ws.sender.pong(conn, payload);
                    Some(())
                }
                Ok(Found::Event(Event::Close(frame))) => {
                    let (code, reason) = frame.unwrap_or((1005, ""));
                    ws.peer_closed(local, code, reason);
                    Some(())
                }
                // A Pong is life, as any byte. After our Close, what still comes is discarded.
                Ok(Found::Event(_) | Found::Busy) => Some(()),
                Ok(Found::Nothing) => break,
                Err(e) => {
                    let code = e.close_code();
                    let error = ConnectionError::Protocol(e);
                    ws.fail(local, code, Initiator::Local, error);
                    Some(())
                }
            };
            if delivered.is_none() {
                ws.fail_panicked(local);
            }
            if let Some(unfinished) = &ws.unfinished
                && !self.reader.is_inside()
            {
                unfinished.finished();
            }
            let may_go_on = conn.spend(FRAME + self.reader.take_work());
            if ws.is_paused() {
                return input.remaining();
            }
            if !may_go_on && (is_busy || input.remaining() > 0) {
                self.behind = true;
                if let Some(unfinished) = &ws.unfinished {
                    unfinished.waited(local.clock_now());
                }
                conn.read_later();
                return input.remaining();
            }
        }
        if let Some(unfinished) = &ws.unfinished
            && self.reader.is_inside()
            && ws.stage() == Stage::Open
        {
            unfinished.goes_on(ws, conn);
        }
        0
    }

    /// A message takes the peer too long.
    fn fail_if_overdue(&mut self, conn: &Conn<'_>) {
        let (ws, local) = (&self.ws, conn.local());
        if conn.is_held_up() {
            if let Some(unfinished) = &ws.unfinished {
                unfinished.waited(local.clock_now());
            }
        } else if let (Some(limit), Some(unfinished)) = (ws.options.message_timeout, &ws.unfinished)
            && !self.holds_back()
            && ws.stage() == Stage::Open
            && unfinished.is_over(limit, local.now())
        {
            self.reader.skip_messages();
            let error = ConnectionError::MessageTimedOut(limit);
            ws.fail(local, POLICY_VIOLATION, Initiator::Local, error);
        }
    }

    /// The user reads on: what was held back first, then the socket.
    pub(crate) fn resume(
        &mut self,
        conn: &Conn<'_>,
        deliver: &mut dyn FnMut(Message<'_>) -> Option<()>,
    ) {
        if self.ws.is_paused() {
            return;
        }
        self.fail_if_overdue(conn);
        let mut held = std::mem::take(&mut self.held);
        let done = std::mem::take(&mut self.held_done);
        let is_inside = self.reader.is_inside();
        if std::mem::take(&mut self.behind) || !held.is_empty() || is_inside {
            let left = self.parse(conn, &mut held[done..], deliver);
            if left > 0 {
                self.held_done = held.len() - left;
                self.held = held;
            } else {
                conn.give_buffer(held);
            }
        }
        self.tell_memory(conn);
        match self.ended && !self.holds_back() && !self.ws.is_paused() {
            true => self.ws.end_of_stream(conn),
            false if self.ws.is_paused() => {}
            false => conn.resume_reading(),
        }
    }

    /// The stream has ended; behind what is held back.
    pub(crate) fn end_of_stream(&mut self, conn: &Conn<'_>) {
        if self.ws.is_paused() || self.holds_back() {
            self.ended = true;
        } else {
            self.ws.end_of_stream(conn);
        }
    }
}
