//! One connection: the upgrade, the messages, the close handshake.

use super::engine::{Engine, Stage};
use super::event::{ConnectionError, Initiator, Message};
use super::heartbeat::{Beat, Heartbeat, Line};
use crate::handshake::{ClientHandshake, HandshakeError, Progress};
use crate::mutant::mutant;
use crate::protocol::{Control, Event, Input, OpCode, Reader, Role, encode_frame, frame_len};
use hvloop_event::conn::{Conn, Handler};
use hvloop_event::{CloseReason, LocalLoop, TimerId};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// See the module. Owned by the connection's slot on the loop.
pub(super) struct Session {
    engine: Rc<Engine>,
    upgrade: Option<ClientHandshake>,
    reader: Reader,
    was_open: bool,
    heart: Option<(Rc<RefCell<Heartbeat>>, TimerId)>,
}

impl Session {
    pub(super) fn new(engine: Rc<Engine>) -> Self {
        let reader = Reader::new(Role::Client, engine.plan().options.limits);
        Self {
            engine,
            upgrade: None,
            reader,
            was_open: false,
            heart: None,
        }
    }

    /// Reads the server's answer; gives the bytes behind it back.
    fn upgrade<'b>(&mut self, conn: &Conn<'_>, data: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let handshake = self.upgrade.as_mut()?;
        match handshake.feed(data) {
            Ok(Progress::NeedMore) => None,
            Ok(Progress::Done { response, consumed }) => {
                self.upgrade = None;
                self.was_open = true;
                self.start_heartbeat(conn);
                self.engine.opened(conn, response);
                data.get_mut(consumed..)
            }
            Err(e) => {
                self.upgrade = None;
                self.upgrade_failed(conn.local(), e);
                None
            }
        }
    }

    fn upgrade_failed(&self, local: &LocalLoop, error: HandshakeError) {
        let error = ConnectionError::Handshake(Arc::new(error));
        self.engine.fail(local, 1002, Initiator::Remote, error);
    }

    /// Reads frames until the input, or the session, is at its end.
    fn frames(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let local = conn.local();
        let mut input = Input::new(data);
        while matches!(self.engine.stage(), Stage::Open | Stage::CloseSent) {
            let open = self.engine.stage() == Stage::Open || mutant!("delivered_after_close");
            match self.reader.next(&mut input) {
                Ok(Some(Event::Text(text))) if open => {
                    self.engine.deliver(local, Message::Text(text));
                }
                Ok(Some(Event::Binary(bytes))) if open => {
                    self.engine.deliver(local, Message::Binary(bytes));
                }
                Ok(Some(Event::Ping(payload))) if open => pong(conn, payload),
                Ok(Some(Event::Close(frame))) => {
                    let (code, reason) = frame.unwrap_or((1005, ""));
                    self.engine.peer_closed(local, code, reason);
                }
                // A Pong is life, as any byte. After our Close, what still comes is discarded.
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(e) => {
                    let code = e.close_code();
                    let error = ConnectionError::Protocol(e);
                    self.engine.fail(local, code, Initiator::Local, error);
                }
            }
        }
    }

    fn start_heartbeat(&mut self, conn: &Conn<'_>) {
        let options = &self.engine.plan().options;
        let Some(interval) = options.ping_interval else {
            return;
        };
        let local = conn.local();
        let heart = Heartbeat::new(interval, options.pong_deadline, local.now());
        let heart = Rc::new(RefCell::new(heart));
        let engine = Rc::downgrade(&self.engine);
        let (id, at, beating) = (conn.id(), local.clone(), heart.clone());
        let timer = local.set_interval(interval, move |timer| {
            let (Some(engine), Some(conn)) = (engine.upgrade(), at.conn(id)) else {
                return;
            };
            let next = beat(&engine, &conn, &beating);
            at.reset_timer(timer, next);
        });
        self.heart = Some((heart, timer));
    }
}

/// Answers a Ping with its payload.
fn pong(conn: &Conn<'_>, payload: &[u8]) {
    if mutant!("pong_lost_when_blocked") && conn.unsent() > 0 {
        return;
    }
    control(conn, OpCode::Control(Control::Pong), payload);
}

fn control(conn: &Conn<'_>, opcode: OpCode, payload: &[u8]) {
    let mask = conn.local().random_u32().to_ne_bytes();
    let size = frame_len(payload.len(), true);
    let sent = conn.send_control(size, |out| {
        encode_frame(out, opcode, true, payload, Some(mask));
    });
    if let Err(e) = sent {
        log::debug!("hvloop: no {opcode} sent: {e}");
    }
}

/// The heartbeat's timer; returns when to look again.
fn beat(
    engine: &Rc<Engine>,
    conn: &Conn<'_>,
    heart: &RefCell<Heartbeat>,
) -> Option<std::time::Duration> {
    if engine.stage() != Stage::Open {
        return None; // the close handshake has a deadline of its own
    }
    let local = conn.local();
    let line = Line {
        busy: conn.unsent() > 0,
        taken: conn.write_progress(),
    };
    let beat = heart.borrow_mut().beat(local.now(), line);
    match beat {
        Beat::Wait(next) => Some(next),
        Beat::Ping(next) => {
            control(conn, OpCode::Control(Control::Ping), b"");
            Some(next)
        }
        Beat::Dead(silent) => {
            engine.blame(Initiator::Local, Some(ConnectionError::PeerSilent(silent)));
            conn.close_now(CloseReason::Silent(silent));
            None
        }
    }
}

impl Handler for Session {
    fn on_up(&mut self, conn: &Conn<'_>) {
        self.engine.note_peer(conn);
        let plan = self.engine.plan();
        let (handshake, request) = ClientHandshake::start(&plan.request, plan.options.handshake);
        self.upgrade = Some(handshake);
        let sent = conn.send_control(request.len(), |out| out.extend_from_slice(&request));
        if let Err(e) = sent {
            log::debug!("hvloop: no upgrade sent: {e}");
        }
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        if let Some((heart, _)) = &self.heart {
            heart.borrow_mut().life(conn.local().now());
        }
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

    fn on_low_water(&mut self, conn: &Conn<'_>) {
        if self.engine.stage() == Stage::Open {
            self.engine.drained(conn.local());
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if self.engine.stage() == Stage::Connecting {
            let error = ConnectionError::UpgradeInterrupted;
            let local = conn.local();
            return self.engine.fail(local, 1002, Initiator::Remote, error);
        }
        // Without the peer's Close this is the abnormal end, 1006.
        self.engine.blame(Initiator::Remote, None);
        conn.close_now(CloseReason::Peer);
    }

    fn on_stop(&mut self, conn: &Conn<'_>) {
        let local = conn.local();
        self.engine
            .finish(local, 1001, "", Initiator::Loop, CloseReason::Stopped);
    }

    fn on_close(self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        if let Some((_, timer)) = &self.heart {
            conn.local().kill_timer(*timer);
        }
        self.engine.session_ended(conn, self.was_open, reason);
    }
}
