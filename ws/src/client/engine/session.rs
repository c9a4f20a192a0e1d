//! One connection of a client: the upgrade, then the messages.

use super::Engine;
use crate::events::{ConnectionError, Initiator};
use crate::handshake::{ClientHandshake, Progress};
use crate::websocket::{Reading, Stage, WebSocket};
use hvloop_event::CloseReason;
use hvloop_event::conn::{Conn, Handler};
use hvloop_event::log;
use std::rc::Rc;

/// See the module. Owned by the connection's slot on the loop.
pub(super) struct Session {
    engine: Rc<Engine>,
    websocket: Rc<WebSocket>,
    /// Until it is open.
    upgrade: Option<Box<ClientHandshake>>,
    reading: Reading,
    was_open: bool,
}

impl Session {
    pub(super) fn new(engine: Rc<Engine>, websocket: Rc<WebSocket>) -> Self {
        Self {
            engine,
            upgrade: None,
            reading: Reading::new(&websocket),
            websocket,
            was_open: false,
        }
    }

    /// Reads the server's answer; gives the bytes behind it back.
    fn upgrade<'b>(&mut self, conn: &Conn<'_>, data: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let handshake = self.upgrade.as_mut()?;
        let known = handshake.refusal().is_some();
        match handshake.feed(data) {
            Ok(Progress::NeedMore) => {
                let refusal = handshake.refusal().filter(|_| !known);
                if refusal.is_some_and(|(status, headers)| {
                    self.engine.follow_redirect(conn, status, headers)
                }) {
                    self.upgrade = None;
                }
                None
            }
            Ok(Progress::Done { response, consumed }) => {
                self.upgrade = None;
                self.was_open = true;
                if let Some(params) = &response.deflate {
                    self.reading.set_deflate(params);
                }
                self.engine.opened(conn, response);
                data.get_mut(consumed..)
            }
            Err(e) => {
                self.upgrade = None;
                self.engine.upgrade_refused(conn, e);
                None
            }
        }
    }

    fn frames(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let engine = &self.engine;
        let mut deliver = |message: crate::Message<'_>| engine.deliver(conn.local(), message);
        self.reading.frames(conn, data, &mut deliver);
    }
}

/// What TLS agreed on.
pub(super) fn alpn(conn: &Conn<'_>) -> Option<Vec<u8>> {
    #[cfg(feature = "tls")]
    return conn.alpn();
    #[cfg(not(feature = "tls"))]
    {
        let _ = conn;
        None
    }
}

/// Whether an upgrade may follow: not in another version of HTTP. What is no HTTP at all was the
/// user's choice.
fn is_http_1(name: &[u8]) -> bool {
    !matches!(name, b"h2" | b"h2c" | b"h3")
}

impl Handler for Session {
    fn on_up(&mut self, conn: &Conn<'_>) {
        self.engine.note_peer(conn);
        if let Some(name) = alpn(conn).filter(|name| !is_http_1(name)) {
            let error = ConnectionError::WrongAlpn(String::from_utf8_lossy(&name).into_owned());
            let local = conn.local();
            return self.websocket.fail(local, 1002, Initiator::Local, error);
        }
        let Some((handshake, request)) = self.engine.start_handshake() else {
            return conn.close_now(CloseReason::Local);
        };
        self.upgrade = Some(Box::new(handshake));
        let sent = conn.send_control(request.len(), |out| out.extend_from_slice(&request));
        if let Err(e) = sent {
            log::debug!("hvloop: no upgrade sent: {e}");
        }
        // Nothing goes with it; and so one buffer of the loop's does for all that come up in a turn.
        conn.flush();
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        if self.upgrade.is_none() {
            return self.frames(conn, data);
        }
        if conn.local().is_stopping() {
            return; // this turn gives the attempt up: no on_open after stop()
        }
        if let Some(rest) = self.upgrade(conn, data) {
            self.frames(conn, rest);
        }
    }

    fn room(&mut self, conn: &Conn<'_>) -> Option<&mut [u8]> {
        match self.upgrade {
            None => self.reading.room(conn),
            Some(_) => None,
        }
    }

    fn on_room_filled(&mut self, conn: &Conn<'_>, size: usize) {
        let engine = &self.engine;
        let mut deliver = |message: crate::Message<'_>| engine.deliver(conn.local(), message);
        self.reading.filled(conn, size, &mut deliver);
    }

    fn on_low_water(&mut self, conn: &Conn<'_>) {
        if self.websocket.stage() == Stage::Open {
            self.engine.drained(conn.local());
        }
    }

    fn on_sent(&mut self, conn: &Conn<'_>) {
        self.websocket.sent(conn);
    }

    fn on_memory_limit(&mut self, conn: &Conn<'_>, limit: usize) {
        match self.websocket.stage() {
            Stage::Opening => conn.close_now(CloseReason::MemoryLimit(limit)),
            _ => self.reading.give_back(conn, limit),
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        let engine = &self.engine;
        let mut deliver = |message: crate::Message<'_>| engine.deliver(conn.local(), message);
        self.reading.resume(conn, &mut deliver);
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if self.upgrade.is_some() && conn.local().is_stopping() {
            return self.on_stop(conn); // behind an answer that was not looked at, maybe
        }
        if let Some(answer) = self.upgrade.as_mut().and_then(|upgrade| upgrade.end()) {
            return self.engine.upgrade_refused(conn, answer);
        }
        self.reading.end_of_stream(conn);
    }

    fn on_stop(&mut self, conn: &Conn<'_>) {
        let local = conn.local();
        self.websocket
            .finish(local, 1001, "", Initiator::Loop, CloseReason::Stopped);
    }

    fn on_close(mut self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        if let Some(answer) = self.upgrade.as_mut().and_then(|upgrade| upgrade.end()) {
            self.engine.refusal_cut_short(answer);
        }
        self.engine.session_ended(conn, self.was_open, reason);
    }
}
