//! A server's connection on its loop.

use super::state::{ServerCallbacks, ServerState};
use crate::conn::{Conn, Handler, Transport};
use crate::error::CloseReason;
use crate::listener_set::Ticket;
use crate::log;
use crate::migrate::send_to;
use crate::sync::lock;
use crate::tcp::channel::Channel;
use crate::tcp::loop_side::LoopSide;
use std::sync::Arc;

/// A connection that a server has accepted.
pub(super) struct ServerConnection {
    server: Arc<ServerState>,
    callbacks: Arc<ServerCallbacks>,
    loop_side: LoopSide,
    channel: Option<Channel>,
    ticket: Ticket,
}

impl ServerConnection {
    pub(super) fn new(server: Arc<ServerState>, ticket: Ticket) -> Self {
        let unpack = lock(&server.unpack).clone();
        Self {
            callbacks: server.callbacks(),
            loop_side: LoopSide::new(unpack),
            server,
            channel: None,
            ticket,
        }
    }

    fn deliver(callbacks: &ServerCallbacks) -> impl FnMut(&Channel, &mut [u8]) {
        |channel, data| {
            if let Some(f) = &callbacks.message {
                f(channel, data);
            }
        }
    }
}

impl Handler for ServerConnection {
    fn on_up(&mut self, conn: &Conn<'_>) {
        let moved = self.channel.take();
        let channel = Channel::new(conn, moved.as_ref());
        conn.opened();
        self.channel = Some(channel.clone());
        if self.callbacks.write_complete.is_some() {
            conn.set_water_marks(0, 0);
        }
        if moved.is_some() {
            self.server.enter(&channel);
            self.loop_side.arrive(conn, &channel);
        } else {
            self.server.enter(&channel);
            if !self.ticket.up() {
                // Stopped meanwhile: it ends as one that never came up.
                self.server.leave(&channel);
                channel.mark_closed(0);
                self.channel = None;
                return conn.close_now(CloseReason::Local);
            }
            if let Some(f) = &self.callbacks.connection {
                f(&channel);
            }
        }
        self.on_call(conn);
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let mut deliver = Self::deliver(&self.callbacks);
        if let Some(channel) = &self.channel {
            self.loop_side.on_data(conn, channel, data, &mut deliver);
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        let mut deliver = Self::deliver(&self.callbacks);
        if let Some(channel) = &self.channel {
            self.loop_side.go_on(conn, channel, &mut deliver);
        }
    }

    fn on_low_water(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&self.callbacks.write_complete, &self.channel) {
            // Zero: told already, of what was written twice before the first call.
            match conn.take_written() {
                0 => {}
                bytes => f(channel, bytes),
            }
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&self.callbacks.end, &self.channel) {
            f(channel);
        }
        conn.end_with_peer();
    }

    fn on_leave(mut self: Box<Self>, conn: &Conn<'_>, transport: Transport) {
        self.loop_side.leave(conn);
        match self.loop_side.destination.take() {
            Some(to) => send_to(&to, transport, || self, conn.local(), |_, _| {}),
            None => self.on_close(conn, CloseReason::Local),
        }
    }

    fn on_close(mut self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        if let Some(channel) = &self.channel {
            channel.mark_closed(conn.lost());
            self.loop_side.end(conn, channel);
            self.server.leave(channel);
        }
        drop(self.ticket);
        match (&self.channel, &self.callbacks.close, &self.callbacks.failed) {
            (Some(channel), Some(f), _) => f(channel, &reason),
            (None, _, Some(f)) => f(conn.peer().as_ref(), &reason),
            (None, _, None) => log::debug!("hvloop: a connection never came up: {reason}"),
            (Some(_), None, _) => {}
        }
    }
}
