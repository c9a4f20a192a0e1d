//! A connection leaves its loop with its socket.

use super::Conn;
use crate::log;
use crate::machine::ending::Ending;
use crate::machine::write_side::WriteSide;
use crate::sys::ShortAddress;
use crate::transport::detached::{Parts, Transport};

/// Whether a connection is one that another loop could take.
pub(super) fn may(conn: &Conn<'_>) -> bool {
    let state = conn.state();
    let open = state.life.is_up() && state.was_open && state.write.side == WriteSide::Open;
    open && !conn.core().shared.is_stopping()
}

/// The socket of a connection that leaves this loop, off the poller, with all that is not sent.
pub(super) fn take_off(conn: &Conn<'_>) -> Option<Transport> {
    let core = conn.core();
    let mut state = conn.state();
    match state.end.as_ref().map(|end| &end.ending) {
        Some(Ending::Leaving) => {}
        _ => return None,
    }
    let mut stream = state.socket.stream.take()?;
    let off = core.poller.with(|poller| {
        stream.deregister(poller);
        Ok(())
    });
    if let Err(e) = off {
        log::debug!("hvloop: a connection outlived its poller: {e}");
    }
    state.queues().for_each(|queue| queue.leave(&core.buffers));
    let parts = Box::new(Parts {
        stream: Some(stream),
        peer: state.socket.peer.as_ref().map(ShortAddress::get),
        local: state.socket.local.clone(),
        moved: true,
        read_closed: state.read.side.has_ended(),
        settings: state.settings.clone(),
        account: state.held.share.as_ref().map(|share| share.account()),
        out: std::mem::take(&mut state.out),
        #[cfg(feature = "tls")]
        begin_tls: None,
        #[cfg(feature = "tls")]
        tls: state.tls.take(),
    });
    Some(Transport { parts })
}
