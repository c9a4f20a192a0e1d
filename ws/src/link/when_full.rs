//! What becomes of a connection whose send queue is full.

use super::Link;
use crate::event::{ConnectionError, Initiator};
use crate::mutant::mutant;
use hvloop_event::{CloseReason, LocalLoop, SendError};
use std::rc::Rc;

/// What becomes of a connection whose send queue has no room for a message, which is refused in any
/// case. A peer that reads too slowly is the usual reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing: the sender is told, and `on_drain` tells when to try again. For broadcasts and topics
    /// this means that slow peers miss messages.
    #[default]
    Refuse,
    /// It is closed with code 1013 (Try Again Later) behind what is queued, and by force if the peer
    /// takes nothing of that for the time of a write stall. `on_close` tells
    /// [`ConnectionError::PeerTooSlow`]. A message that is longer than the whole queue closes nothing.
    Close,
}

/// The close code of [`WhenFull::Close`].
const TRY_AGAIN_LATER: u16 = 1013;

impl Link {
    /// A send was refused, on whatever thread: if for want of room, asks for the drain callback, or
    /// closes. What counts is how full the queue was then; it may have emptied since.
    pub(crate) fn refused(self: &Rc<Self>, local: &LocalLoop, error: SendError) {
        let SendError::QueueFull { limit, size, .. } = error else {
            return;
        };
        let Some(conn) = self.open_conn(local) else {
            return;
        };
        match self.options.when_full {
            WhenFull::Close if size <= limit && !mutant!("slow_peer_kept") => {
                self.blame(Initiator::Local, Some(ConnectionError::PeerTooSlow));
                let (code, why) = (TRY_AGAIN_LATER, CloseReason::Local);
                self.finish(local, code, "too slow", Initiator::Local, why);
            }
            _ => conn.notify_low_water(),
        }
    }
}
