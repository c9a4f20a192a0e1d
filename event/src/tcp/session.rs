//! One session of a `TcpClient`, on the loop: an attempt to connect, and those that follow it.

use super::channel::Channel;
use super::flow::Flow;
use super::retry::Retry;
use crate::conn::{Conn, ConnId, Connect, Handler, Transport};
use crate::core::shared::lock;
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::framing::Unpack;
use crate::handover::send_to;
use crate::local_loop::{AttachmentId, LocalLoop};
use crate::mutant::mutant;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type OnChannel = Box<dyn FnMut(&Channel) + Send>;
type OnMessage = Box<dyn FnMut(&Channel, &mut [u8]) + Send>;
type OnClose = Box<dyn FnMut(Option<&Channel>, &CloseReason) + Send>;

#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) connect: Option<OnChannel>,
    pub(super) message: Option<OnMessage>,
    pub(super) write_complete: Option<OnChannel>,
    pub(super) end: Option<OnChannel>,
    pub(super) close: Option<OnClose>,
}

/// The session that handles on other threads mean.
#[derive(Default)]
pub(super) struct Current {
    /// Counts calls of `connect`, so that a late close does not hit the next one.
    pub(super) session: u64,
    /// An attempt is under way, or will be.
    pub(super) live: bool,
    /// Closed by the user, maybe before the loop knew of the attempt.
    pub(super) given_up: bool,
    pub(super) id: Option<ConnId>,
    /// Waits for the next attempt.
    pub(super) waiting: Option<AttachmentId>,
    /// How many attempts came before this one.
    pub(super) retries: u32,
    pub(super) channel: Option<Channel>,
}

/// See the module: its callbacks and state.
pub(super) struct Session {
    callbacks: Callbacks,
    unpack: Option<Unpack>,
    flow: Flow,
    channel: Option<Channel>,
    pub(super) current: Arc<Mutex<Current>>,
    pub(super) session: u64,
    /// The client's own loop, from which it may have moved.
    home: EventLoop,
    /// Whether and when another attempt follows.
    pub(super) retry: Option<Retry>,
}

impl Session {
    pub(super) fn new(
        number: u64,
        current: Arc<Mutex<Current>>,
        home: EventLoop,
        callbacks: Callbacks,
        unpack: Option<Unpack>,
        retry: Option<Retry>,
    ) -> Self {
        Self {
            callbacks,
            unpack,
            flow: Flow::default(),
            channel: None,
            current,
            session: number,
            home,
            retry,
        }
    }

    /// Begins an attempt.
    pub(super) fn begin(mut self: Box<Self>, local: &LocalLoop, options: Connect) {
        self.flow = Flow::new(self.unpack.clone());
        let current = self.current.clone();
        match local.connect(options, self) {
            Ok(id) => {
                let given_up = {
                    let mut current = lock(&current);
                    current.id = Some(id);
                    current.given_up
                };
                if let Some(conn) = local.conn(id).filter(|_| given_up) {
                    conn.finish(CloseReason::Local);
                }
            }
            // Every accepted attempt gets its one close.
            Err(LoopClosed(handler)) => local.refuse(handler),
        }
    }

    /// The session is over, and not only its attempt.
    fn is_over(&self) {
        let mut current = lock(&self.current);
        if current.session == self.session {
            current.live = false;
        }
    }

    /// The attempt is over; when the next one follows.
    fn end(&mut self, conn: &Conn<'_>, reason: &CloseReason) -> Option<Duration> {
        if let Some(channel) = &self.channel {
            channel.mark_closed(conn.lost());
            self.flow.end(conn, channel);
        }
        let given_up = lock(&self.current).given_up && !mutant!("tcp_retries_after_close");
        let retry = self.retry.as_mut().filter(|_| !given_up);
        let delay = retry.and_then(|retry| retry.after(conn.local(), reason));
        {
            let mut current = lock(&self.current);
            if current.session == self.session {
                current.id = None;
                current.channel = None;
                current.live = delay.is_some();
            }
        }
        if let Some(f) = &mut self.callbacks.close {
            f(self.channel.as_ref(), reason);
        }
        self.channel = None;
        delay
    }
}

impl Drop for Session {
    /// However it went: with its callbacks the session is over.
    fn drop(&mut self) {
        self.is_over();
    }
}

impl Handler for Session {
    fn on_up(&mut self, conn: &Conn<'_>) {
        let moved = self.channel.take();
        let channel = Channel::new(conn, moved.as_ref());
        conn.opened();
        {
            let mut current = lock(&self.current);
            if current.session == self.session {
                // On another loop its id is that of something else at home.
                current.id = moved.is_none().then(|| conn.id());
                current.channel = Some(channel.clone());
            }
        }
        self.channel = Some(channel.clone());
        if self.callbacks.write_complete.is_some() {
            conn.set_water_marks(0, 0);
        }
        if let Some(retry) = &mut self.retry {
            retry.on_open(conn.local());
        }
        if moved.is_some() {
            self.flow.arrive(conn, &channel);
        } else if let Some(f) = &mut self.callbacks.connect {
            f(&channel);
        }
        self.on_call(conn);
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let message = &mut self.callbacks.message;
        let mut deliver = |channel: &Channel, data: &mut [u8]| {
            if let Some(f) = message {
                f(channel, data);
            }
        };
        if let Some(channel) = &self.channel {
            self.flow.on_data(conn, channel, data, &mut deliver);
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        let message = &mut self.callbacks.message;
        let mut deliver = |channel: &Channel, data: &mut [u8]| {
            if let Some(f) = message {
                f(channel, data);
            }
        };
        if let Some(channel) = &self.channel {
            self.flow.go_on(conn, channel, &mut deliver);
        }
    }

    fn on_low_water(&mut self, _conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.write_complete, &self.channel) {
            f(channel);
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.end, &self.channel) {
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
        let delay = self.end(conn, &reason);
        if self.home.same_loop(&conn.local().event_loop()) {
            return Retry::decide(self, conn.local(), delay);
        }
        let home = self.home.clone();
        let refused = home.post_event(move |local| Retry::decide(self, local, delay));
        // The closure comes back, and with it the callbacks: the session is over.
        if let Err(LoopClosed(decide)) = refused {
            conn.local().drop_user(decide);
        }
    }
}
