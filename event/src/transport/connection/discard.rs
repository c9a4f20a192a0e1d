//! What still comes on a connection that is ending is discarded, and not without end.
//!
//! A peer that goes on sending would be read at full speed until the last deadline. But closing a socket
//! on which unread bytes wait makes the system reset the connection, and a peer that is reset may lose
//! what it has not read, our Close among it. So what the system held when the end began is discarded, and
//! a bounded number of bytes more, as a peer sends until it has read our end. Then nothing is read any
//! more, which costs nothing, and the peer has a short time for what was sent last.

use super::Conn;
use super::parts::Timer;
use super::state::ConnState;
use crate::machine::ending::Ending;
use crate::machine::lifecycle::Lifecycle;
use std::time::Duration;

/// Bytes that are discarded beyond those that the system held when the end began.
const MORE: usize = 64 * 1024;
/// The time of a peer that sends more than that, once all is written.
const GRACE: Duration = Duration::from_millis(500);

/// Arms the short deadline of a connection that has written everything and is flooded.
pub(super) fn watch(conn: &Conn<'_>) {
    let waits = {
        let state = conn.state();
        let flooded = state.life == Lifecycle::Lingering && state.is_flooded();
        flooded && !state.timers.is_armed(Timer::Flood)
    };
    if waits {
        conn.arm(Timer::Flood, GRACE);
    }
}

impl ConnState {
    /// The end begins: what comes from now on is discarded. What the system holds is asked when the first of it
    /// comes: mostly nothing does but the peer's end.
    pub(super) fn begin_discarding(&mut self) {
        self.end_mut().may_discard = None;
    }

    /// How much may be discarded before `read` bytes that were just read.
    fn may_discard(&mut self, read: usize) -> usize {
        if let Some(known) = self.end_mut().may_discard {
            return known;
        }
        let stream = self.socket.stream.as_ref();
        let held = stream.map_or(0, |stream| stream.unread());
        held.saturating_add(read).saturating_add(MORE)
    }

    /// So many bytes were read. Before the end begins they are none of ours.
    pub(super) fn count_discarded(&mut self, bytes: usize) {
        if self.is_ending() {
            let left = self.may_discard(bytes).saturating_sub(bytes);
            self.end_mut().may_discard = Some(left);
        }
    }

    /// The socket took something. A peer of an end in order may answer what it is still sent, and takes no
    /// more until its answers are read. `true`: it is to be read again.
    pub(super) fn discard_on(&mut self) -> bool {
        let flooded = self.is_flooded();
        if self.is_ending()
            && self.ends_in_order()
            && let Some(left) = &mut self.end_mut().may_discard
        {
            *left = MORE.max(*left);
        }
        flooded && !self.is_flooded()
    }

    /// All is written: the peer of an end in order may answer what the system has of it.
    pub(super) fn discard_answers(&mut self) {
        if self.ends_in_order() {
            let stream = self.socket.stream.as_ref();
            let sent = stream.map_or(0, |stream| stream.send_buffer());
            let left = self.may_discard(0).saturating_add(sent);
            self.end_mut().may_discard = Some(left);
        }
    }

    /// Whether more came, as the connection was ending, than is discarded.
    pub(crate) fn is_flooded(&self) -> bool {
        self.is_ending()
            && self
                .end
                .as_ref()
                .is_none_or(|end| end.may_discard == Some(0))
    }

    fn is_ending(&self) -> bool {
        matches!(self.life, Lifecycle::Flushing | Lifecycle::Lingering)
    }

    /// Not for a failure, and not yet agreed on by the peer, which then has no more to say.
    fn ends_in_order(&self) -> bool {
        match self.end.as_ref().map(|end| &end.ending) {
            Some(Ending::InOrder(reason) | Ending::Failed(reason)) => reason.is_clean(),
            _ => false,
        }
    }
}
