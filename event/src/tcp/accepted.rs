//! A server's connection on its loop, and connections on their way to another loop.

use super::channel::Channel;
use super::flow::Flow;
use super::server::{Callbacks, Shared};
use crate::conn::{Conn, ConnId, Handler, Transport};
use crate::core::shared::lock;
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::local_loop::LocalLoop;
use std::sync::{Arc, Mutex};

/// A connection that a server has accepted.
pub(super) struct Accepted {
    server: Arc<Shared>,
    callbacks: Arc<Callbacks>,
    flow: Flow,
    channel: Option<Channel>,
    /// Which of the server's loops it counts for.
    worker: usize,
    /// The server's, when it was accepted.
    epoch: u64,
}

impl Accepted {
    /// `worker` has counted it already.
    pub(super) fn new(server: Arc<Shared>, worker: usize, epoch: u64) -> Self {
        Self {
            callbacks: server.callbacks(),
            flow: Flow::new(server.unpack()),
            server,
            channel: None,
            worker,
            epoch,
        }
    }

    fn deliver(callbacks: &Callbacks) -> impl FnMut(&Channel, &mut [u8]) {
        |channel, data| {
            if let Some(f) = &callbacks.message {
                f(channel, data);
            }
        }
    }
}

impl Handler for Accepted {
    fn on_up(&mut self, conn: &Conn<'_>) {
        let moved = self.channel.take();
        let channel = Channel::new(conn, moved.as_ref());
        conn.opened();
        self.channel = Some(channel.clone());
        if self.callbacks.write_complete.is_some() {
            conn.set_water_marks(0, 0);
        }
        if moved.is_some() {
            self.server.moved(&channel);
            self.flow.arrive(conn, &channel);
        } else if !self.server.enter(self.worker, conn.id(), &channel, self.epoch) {
            // Stopped meanwhile.
            return conn.finish(CloseReason::Local);
        } else if let Some(f) = &self.callbacks.connection {
            f(&channel);
        }
        self.on_call(conn);
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let mut deliver = Self::deliver(&self.callbacks);
        if let Some(channel) = &self.channel {
            self.flow.on_data(conn, channel, data, &mut deliver);
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        let mut deliver = Self::deliver(&self.callbacks);
        if let Some(channel) = &self.channel {
            self.flow.follow(conn, channel, &mut deliver);
        }
    }

    fn on_low_water(&mut self, _conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&self.callbacks.write_complete, &self.channel) {
            f(channel);
        }
    }

    fn on_leave(mut self: Box<Self>, conn: &Conn<'_>, transport: Transport) {
        self.flow.leave(conn);
        match self.flow.destination.clone() {
            Some(to) => send_to(&to, transport, self, conn.local(), |_, _| {}),
            None => self.on_close(conn, CloseReason::Local),
        }
    }

    fn on_close(mut self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        if let Some(channel) = &self.channel {
            channel.mark_closed();
            self.flow.end(conn, channel);
        }
        let id = conn.id();
        self.server.leave(self.worker, id, self.channel.as_ref());
        match (&self.channel, &self.callbacks.close, &self.callbacks.failed) {
            (Some(channel), Some(f), _) => f(channel, &reason),
            (None, _, Some(f)) => f(conn.peer().as_ref(), &reason),
            (None, _, None) => log::debug!("hvloop: a connection never came up: {reason}"),
            (Some(_), None, _) => {}
        }
    }
}

/// Takes a connection to a loop, at once if it is `from`, where this is called: there `on_close` is
/// told if the loop takes nothing any more. `taken` is called on the loop that took it.
pub(super) fn send_to<H>(
    to: &EventLoop,
    transport: Transport,
    handler: Box<H>,
    from: &LocalLoop,
    taken: impl FnOnce(&LocalLoop, ConnId) + Send + 'static,
) where
    H: Handler + Send + 'static,
{
    if to.same_loop(&from.event_loop()) {
        return adopt(from, transport, handler, taken);
    }
    // Held, so that the other loop does not end while the connection is on its way to it.
    let Ok(hold) = to.hold("a connection on its way") else {
        drop(transport);
        return from.refuse(handler);
    };
    // In a cell, to have it back if the other loop refuses.
    let parcel = Arc::new(Mutex::new(Some((transport, handler))));
    let sent = {
        let parcel = parcel.clone();
        to.post_event(move |local| {
            let parcel = lock(&parcel).take();
            let Some((transport, handler)) = parcel else {
                return;
            };
            adopt(local, transport, handler, taken);
            drop(hold);
        })
    };
    if sent.is_err() {
        let parcel = lock(&parcel).take();
        if let Some((transport, handler)) = parcel {
            drop(transport);
            from.refuse(handler);
        }
    }
}

fn adopt<H: Handler + 'static>(
    local: &LocalLoop,
    transport: Transport,
    handler: Box<H>,
    taken: impl FnOnce(&LocalLoop, ConnId),
) {
    match local.adopt(transport, handler) {
        Ok(id) => taken(local, id),
        Err(LoopClosed((transport, handler))) => {
            drop(transport);
            local.refuse(handler);
        }
    }
}
