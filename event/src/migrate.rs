//! Connections on their way to a loop.

use crate::conn::{ConnId, Handler, Transport};
use crate::core::LocalLoop;
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::sync::lock;
use std::sync::{Arc, Mutex};

/// Takes a connection to a loop, at once if it is `from`, where this is called: there `on_close` is
/// told if the loop takes nothing any more. `make` is called on the loop that it ends up on, and so is
/// `taken` if the loop takes it.
pub(crate) fn send_to(
    to: &EventLoop,
    transport: Transport,
    make: impl FnOnce() -> Box<dyn Handler> + Send + 'static,
    from: &LocalLoop,
    taken: impl FnOnce(&LocalLoop, ConnId) + Send + 'static,
) {
    if to.same_loop(&from.event_loop()) {
        return adopt(from, transport, make(), taken);
    }
    // Held, so that the other loop does not end while the connection is on its way to it, which counts
    // it already.
    let Ok(hold) = to.hold("a connection on its way") else {
        return refuse(from, transport, make());
    };
    // In a cell, to have it back if the other loop refuses.
    let parcel = Arc::new(Mutex::new(Some((transport, make))));
    let sent = {
        let parcel = parcel.clone();
        to.post_connect(move |local| {
            let parcel = lock(&parcel).take();
            let Some((transport, make)) = parcel else {
                return;
            };
            adopt(local, transport, make(), taken);
            drop(hold);
        })
    };
    if sent.is_err() {
        let parcel = lock(&parcel).take();
        if let Some((transport, make)) = parcel {
            refuse(from, transport, make());
        }
    }
}

fn adopt(
    local: &LocalLoop,
    transport: Transport,
    handler: Box<dyn Handler>,
    taken: impl FnOnce(&LocalLoop, ConnId),
) {
    match local.adopt(transport, handler) {
        Ok(id) => taken(local, id),
        Err(LoopClosed((transport, handler))) => refuse(local, transport, handler),
    }
}

/// The connection ends here: one that was open ends by force, since it is not told to finish.
fn refuse(local: &LocalLoop, transport: Transport, handler: Box<dyn Handler>) {
    let reason = match transport.parts.moved {
        true => CloseReason::Forced,
        false => CloseReason::Stopped,
    };
    drop(transport);
    local.refuse_for(handler, reason);
}
