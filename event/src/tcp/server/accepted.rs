//! A server's connection on its loop.

use super::shared::{Callbacks, Shared};
use crate::conn::{Conn, Handler, Transport};
use crate::error::CloseReason;
use crate::handover::send_to;
use crate::listener_set::Ticket;
use crate::log;
use crate::tcp::channel::Channel;
use crate::tcp::flow::Flow;
use std::sync::Arc;

/// A connection that a server has accepted.
pub(super) struct Accepted {
    server: Arc<Shared>,
    callbacks: Arc<Callbacks>,
    flow: Flow,
    channel: Option<Channel>,
    ticket: Ticket,
}

impl Accepted {
    pub(super) fn new(server: Arc<Shared>, ticket: Ticket) -> Self {
        Self {
            callbacks: server.callbacks(),
            flow: Flow::new(server.unpack()),
            server,
            channel: None,
            ticket,
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
        } else {
            self.server.enter(&channel);
            if !self.ticket.up() {
                // Stopped meanwhile.
                return conn.finish(CloseReason::Local);
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
            self.flow.on_data(conn, channel, data, &mut deliver);
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        let mut deliver = Self::deliver(&self.callbacks);
        if let Some(channel) = &self.channel {
            self.flow.go_on(conn, channel, &mut deliver);
        }
    }

    fn on_low_water(&mut self, _conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&self.callbacks.write_complete, &self.channel) {
            f(channel);
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&self.callbacks.end, &self.channel) {
            f(channel);
        }
        conn.end_with_peer();
    }

    fn on_leave(mut self: Box<Self>, conn: &Conn<'_>, transport: Transport) {
        self.flow.leave(conn);
        match self.flow.destination.take() {
            Some(to) => send_to(&to, transport, || self, conn.local(), |_, _| {}),
            None => self.on_close(conn, CloseReason::Local),
        }
    }

    fn on_close(mut self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        if let Some(channel) = &self.channel {
            channel.mark_closed(conn.lost());
            self.flow.end(conn, channel);
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
