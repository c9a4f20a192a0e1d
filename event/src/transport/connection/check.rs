//! What must hold of a connection between two turns. For the simulation.

use super::parts::Timer;
use super::state::ConnState;
use crate::core::entity::Place;
use crate::machine::lifecycle::Lifecycle;
use std::collections::BTreeMap;

/// Nothing waits for an event that has been, and every wait has its deadline.
pub(super) fn check(state: &ConnState, place: &Place) -> Result<(), String> {
    let live = state.socket.stream.is_some() && !state.life.is_closed();
    if live && state.wants_write() && state.write.writable && !place.is_dirty() && !place.is_ready()
    {
        return Err("bytes wait for a socket that takes them".to_owned());
    }
    let comes_up = state.life == Lifecycle::Connecting; // adopted, and told in the next turn
    let reads = !state.holds_back() && !comes_up;
    if live && reads && state.read.side.is_ready() && !place.is_ready() {
        return Err("bytes were left unread, and no event will tell of them".to_owned());
    }
    let told = state.read.side.is_ready() || state.read.side.has_ended();
    if live
        && !told
        && state
            .socket
            .stream
            .as_ref()
            .is_some_and(|s| !s.tells_of_data())
    {
        return Err("bytes are left in the socket, and no event will tell of them".to_owned());
    }
    if live && state.tls.as_ref().is_some_and(|tls| tls.has_unread()) {
        return Err("plaintext was left in TLS".to_owned());
    }
    if state.settings.budget.queued() < state.unsent() {
        return Err(format!(
            "I10: {} bytes are queued, and {} are on the account",
            state.unsent(),
            state.settings.budget.queued()
        ));
    }
    let timed = match state.life {
        // Adopted from another loop, and up in the next turn.
        Lifecycle::Connecting if state.connecting.is_none() => true,
        Lifecycle::Resolving
        | Lifecycle::Connecting
        | Lifecycle::Tunnelling
        | Lifecycle::Securing
        | Lifecycle::Opening => state.timers.is_armed(Timer::Open),
        Lifecycle::Flushing => place.is_dirty() || state.timers.is_armed(Timer::Stall),
        Lifecycle::Lingering => state.timers.is_armed(Timer::Linger),
        Lifecycle::Open | Lifecycle::Closed => true,
    };
    let stands = live && state.socket.stream.is_some() && state.wants_write() && !place.is_dirty();
    if stands && state.stall_limit().is_some() && !state.timers.is_armed(Timer::Stall) {
        return Err("a queue stands without a limit".to_owned());
    }
    if !timed {
        return Err(format!("{:?} without a deadline", state.life));
    }
    if state.life == Lifecycle::Lingering
        && state.is_flooded()
        && !state.timers.is_armed(Timer::Flood)
    {
        return Err("flooded, without a deadline".to_owned());
    }
    Ok(())
}

/// What the account has for it, if that is what it holds.
pub(super) fn check_memory(
    state: &ConnState,
    shared: &mut BTreeMap<usize, usize>,
) -> Result<usize, String> {
    if !state.life.is_closed() && state.held.charged != state.memory() {
        let (held, charged) = (state.memory(), state.held.charged);
        return Err(format!(
            "{held} bytes are held, and {charged} are counted: {}",
            state.describe()
        ));
    }
    for data in state.queues().flat_map(|queue| queue.shared_data()) {
        shared.insert(data.as_ptr().addr(), data.len());
    }
    Ok(state.held.charged)
}
