//! Reading that is paused by the user.

use super::{Link, Stage};
use hvloop_event::LocalLoop;
use hvloop_event::conn::Conn;

impl Link {
    /// Whether messages are held back. Only while open: a close reads on.
    pub(super) fn is_paused(&self) -> bool {
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
            self.life(&conn);
            self.message_waited(local);
            // The handler has what is held back, and reads the socket again when that is done.
            conn.call_handler();
        }
    }

    /// What was held back is done.
    pub(super) fn read_socket(&self, conn: &Conn<'_>) {
        if !self.is_paused() {
            conn.resume_reading();
        }
    }
}
