//! Taking on a connected socket: accepted, or come from another loop.

use super::parts::Timer;
use super::state::ConnState;
use super::{Call, Conn, Connection, close, tls};
use crate::conn::{AdoptError, Handler};
use crate::core::LocalLoop;
use crate::core::entity::Role;
use crate::error::{CloseReason, LoopClosed};
use crate::sync::Phase;
use crate::sys::clock;
use crate::transport::detached::Transport;
use std::io;
use std::sync::Arc;

/// See [`LocalLoop::adopt`].
pub(crate) fn adopt<'a>(
    local: &'a LocalLoop,
    transport: Transport,
    handler: Box<dyn Handler>,
) -> Result<Conn<'a>, AdoptError> {
    let core = local.core();
    // One that was open on another loop has to finish, and can do so here.
    let moved = transport.parts.moved;
    let taken = match moved {
        true => core.shared.gate.acquire(),
        false => core.registry.admit(Role::Connection),
    };
    if !taken {
        return Err(LoopClosed((transport, handler)));
    }
    #[cfg(feature = "tls")]
    let begin_tls = transport.parts.begin_tls.clone();
    #[cfg(not(feature = "tls"))]
    let begin_tls = None;
    let account = transport.parts.account.clone();
    let mut state = ConnState::adopted(transport, clock::now());
    state.held.share = account.map(|account| core.shares.of(&account, &core.shared));
    state.queues().for_each(|queue| queue.arrive(&core.buffers));
    state.charge(&core.memory);
    let deadline = state.settings.open_timeout;
    let unsent = state.wants_write();
    let connection = core.registry.put(Role::Connection, |place| {
        Connection::new(place, state, Some(handler))
    });
    let conn = Conn::new(local, connection);
    let registered = core
        .poller
        .with(|poller| match conn.state().socket.stream.as_mut() {
            Some(stream) => stream.register(poller, conn.place().key()),
            None => Err(io::ErrorKind::NotConnected.into()),
        });
    if let Err(e) = registered {
        close::now(&conn, CloseReason::Io(Arc::new(e)));
        return Ok(conn);
    }
    // One that was open before has its time from when it comes up.
    if !moved {
        conn.arm(Timer::Open, deadline);
    }
    if unsent {
        conn.mark_dirty();
    }
    match begin_tls {
        Some(config) => tls::accept(&conn, &config),
        // Not here: no API call runs user code.
        None => conn.defer(Call::Up),
    }
    Ok(conn)
}

/// An adopted connection comes up.
pub(super) fn comes_up(conn: &Conn<'_>) {
    let (up, untimed) = {
        let mut state = conn.state();
        // While there are racers it is no adopted one.
        let up = state.connecting.is_none() && state.life.connected(false);
        let untimed = !state.timers.is_armed(Timer::Open);
        (up, untimed.then_some(state.settings.open_timeout))
    };
    if !up {
        return;
    }
    if let Some(deadline) = untimed {
        conn.arm(Timer::Open, deadline);
    }
    conn.read_what_came_early();
    conn.begin_with_handler();
    // It came when the others had been told already.
    if conn.core().shared.gate.phase() == Phase::Draining {
        conn.with_handler(|handler, conn| handler.on_stop(conn));
    }
}
