//! All connections of a server together hold too much: this one waits before it is read on.

use super::parts::HeldUp;
use super::{Conn, Connection};
use crate::core::entity::Need;
use crate::core::shares;
use crate::sys::clock;

/// Whether it has to wait before it is read; if so it is told when it may go on.
pub(super) fn waits(conn: &Conn<'_>) -> bool {
    let is_tight = conn.state().is_tight();
    is_tight && waits_if_over(conn)
}

#[cold]
fn waits_if_over(conn: &Conn<'_>) -> bool {
    let key = conn.place().key();
    let share = {
        let mut state = conn.state();
        let may = state.was_open && state.life.is_up() && state.read.held_up != HeldUp::Never;
        let has_part = state.held.gathered > 0;
        let share = state.held.share.clone();
        let Some(share) = share.filter(|share| may && share.holds_up(key, has_part)) else {
            return false;
        };
        if state.read.held_up == HeldUp::Yes {
            return true;
        }
        state.read.held_up = HeldUp::Yes;
        share
    };
    shares::wait(conn.local, &share, key);
    true
}

/// See [`Entity::need`](crate::core::entity::Entity::need).
pub(super) fn need(connection: &Connection) -> Option<Need> {
    let holds = {
        let state = connection.state.borrow();
        let reads = state.life.is_up() && !state.read.paused && !connection.place.is_closing();
        reads.then_some(state.held.gathered)?
    };
    let handler = connection.handler.take();
    let missing = handler.as_ref().and_then(|handler| handler.missing());
    connection.handler.set(handler);
    Some(Need {
        missing: missing.unwrap_or(usize::MAX),
        holds,
    })
}

/// It may be read on.
pub(super) fn read_on(conn: &Conn<'_>) {
    let waited = {
        let mut state = conn.state();
        let waited = state.read.held_up == HeldUp::Yes;
        if waited {
            state.read.held_up = HeldUp::No;
            // That nothing was read meanwhile is not the peer's doing.
            state.read.last = clock::now();
        }
        waited
    };
    if waited {
        conn.tell_if_up(|handler, conn| handler.on_read_on(conn));
        conn.mark_ready();
    }
}
