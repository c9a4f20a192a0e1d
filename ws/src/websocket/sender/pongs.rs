//! Answers to Pings, of which a peer that reads none gets few.

use super::Sender;
use crate::protocol::OpCode;
use crate::websocket::Outgoing;
use hvloop_event::conn::Conn;

/// The Pongs that the line has not taken. One at most is in the send queue, and behind that one the
/// latest is owed in the place of all that came before it (RFC 6455 section 5.5.3): so what Pings cost
/// has an end, whatever the peer reads.
#[derive(Default)]
pub(super) enum Pongs {
    /// None, but for those that go out in this turn.
    #[default]
    None,
    /// One is in the queue.
    Queued,
    /// One is in the queue, and another is to follow it.
    Owed(Box<[u8]>),
}

impl Sender {
    /// Answers a Ping with its payload: at once where the line is free.
    pub(in crate::websocket) fn pong(&self, conn: &Conn<'_>, payload: &[u8]) {
        match self.pongs.take() {
            Pongs::None if self.pong_at_once(conn, payload) => {}
            Pongs::None => {
                self.control(conn, OpCode::Pong, payload);
                if conn.notify_sent() {
                    self.pongs.set(Pongs::Queued);
                }
            }
            Pongs::Queued | Pongs::Owed(_) => self.pongs.set(Pongs::Owed(payload.into())),
        }
    }

    /// Sends it within the limit of the queue. `false`: the line takes nothing now, or has no room.
    fn pong_at_once(&self, conn: &Conn<'_>, payload: &[u8]) -> bool {
        if !conn.is_line_free() {
            return false;
        }
        let pong = Outgoing::frame(OpCode::Pong, payload);
        let send = || self.send(conn, &pong);
        // With a small limit the Pongs of one read fill the queue, although the line takes them.
        send().is_ok() || {
            conn.flush();
            conn.is_line_free() && send().is_ok()
        }
    }

    /// A Close follows: what is owed goes before it, behind what is queued.
    pub(super) fn last_pong(&self, conn: &Conn<'_>) {
        if let Pongs::Owed(payload) = self.pongs.take() {
            self.control(conn, OpCode::Pong, &payload);
        }
    }

    /// The Pong that was queued has gone: the next one follows, if there is one.
    pub(in crate::websocket) fn pong_has_left(&self, conn: &Conn<'_>) {
        if let Pongs::Owed(payload) = self.pongs.take() {
            self.pong(conn, &payload);
        }
    }
}
