//! One session of a `TcpClient`, on the loop: an attempt to connect, and those that follow it.

mod waiting;

pub(super) use self::waiting::BackOffWait;

use super::channel::Channel;
use super::loop_side::LoopSide;
use super::retry::{Announced, Retry};
use crate::conn::{Conn, ConnId, Handler, Transport};
use crate::core::LocalLoop;
use crate::core::attachments::AttachmentId;
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::framing::Unpack;
use crate::machine::backoff::ReconnectPolicy;
use crate::migrate::send_to;
use crate::sessions::Sessions;
use crate::sync::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type OnChannel = Box<dyn FnMut(&Channel) + Send>;
type OnWritten = Box<dyn FnMut(&Channel, usize) + Send>;
type OnMessage = Box<dyn FnMut(&Channel, &mut [u8]) + Send>;
type OnClose = Box<dyn FnMut(Option<&Channel>, &CloseReason) + Send>;
type ReconnectIf = Box<dyn FnMut(&CloseReason) -> bool + Send>;

#[derive(Default)]
pub(super) struct ClientCallbacks {
    pub(super) connect: Option<OnChannel>,
    pub(super) message: Option<OnMessage>,
    pub(super) write_complete: Option<OnWritten>,
    pub(super) end: Option<OnChannel>,
    pub(super) close: Option<OnClose>,
    pub(super) reconnect_if: Option<ReconnectIf>,
}

/// The session that handles on other threads mean.
#[derive(Default)]
pub(super) struct CurrentSession {
    pub(super) sessions: Sessions,
    /// The attempt under way.
    pub(super) id: Option<ConnId>,
    /// Waits for the next attempt.
    pub(super) waiting: Option<AttachmentId>,
    /// By which attempts follow upon this session, and upon the next.
    pub(super) policy: Option<ReconnectPolicy>,
    /// How many attempts came before this one.
    pub(super) reconnects: u32,
    /// See [`TcpClient::retries`](crate::TcpClient::retries).
    pub(super) retries: u32,
    /// How long the wait is that follows, or is under way.
    pub(super) next_delay: Option<Duration>,
    pub(super) channel: Option<Channel>,
    /// While the `on_close` runs that this attempt follows.
    pub(super) announced: Option<Announced>,
}

/// See the module: its callbacks and state.
pub(super) struct Session {
    callbacks: ClientCallbacks,
    unpack: Option<Unpack>,
    loop_side: LoopSide,
    channel: Option<Channel>,
    current: Arc<Mutex<CurrentSession>>,
    number: u64,
    /// The client's own loop, from which it may have moved.
    home: EventLoop,
    /// When another attempt follows, if one does.
    retry: Retry,
    /// There was an attempt, which has its `on_close`.
    begun: bool,
}

impl Session {
    pub(super) fn new(
        number: u64,
        current: Arc<Mutex<CurrentSession>>,
        home: EventLoop,
        callbacks: ClientCallbacks,
        unpack: Option<Unpack>,
        retry: Retry,
    ) -> Self {
        Self {
            callbacks,
            unpack,
            loop_side: LoopSide::default(),
            channel: None,
            current,
            number,
            home,
            retry,
            begun: false,
        }
    }

    /// Begins the first attempt, or the wait for it.
    pub(super) fn begin(mut self: Box<Self>, local: &LocalLoop) {
        match self.retry.due.take() {
            Some(due) => {
                let delay = due.saturating_duration_since(local.now());
                BackOffWait::begin(self, local, delay);
            }
            None => self.connect(local),
        }
    }

    fn connect(mut self: Box<Self>, local: &LocalLoop) {
        self.begun = true;
        let options = self.retry.options.clone();
        self.loop_side = LoopSide::new(self.unpack.clone());
        let current = self.current.clone();
        match local.connect(options, self) {
            Ok(id) => {
                let given_up = {
                    let mut current = lock(&current);
                    current.id = Some(id);
                    current.sessions.is_given_up()
                };
                if let Some(conn) = local.conn(id).filter(|_| given_up) {
                    conn.finish(CloseReason::Local);
                }
            }
            // Every accepted attempt gets its one close.
            Err(LoopClosed(handler)) => local.refuse(handler),
        }
    }

    /// The attempt is over; when the next one follows.
    fn end(&mut self, conn: &Conn<'_>, reason: &CloseReason) -> Option<Duration> {
        if let Some(channel) = &self.channel {
            channel.mark_closed(conn.lost());
            self.loop_side.end(conn, channel);
        }
        let delay = self.next_delay(conn.local(), reason);
        {
            let mut current = lock(&self.current);
            if current.sessions.is(self.number) {
                current.id = None;
                current.channel = None;
                current.next_delay = delay;
                match delay {
                    Some(delay) => {
                        current.announced = self.retry.announce(conn.local(), delay);
                    }
                    None => current.sessions.end(self.number),
                }
            }
        }
        if let Some(f) = &mut self.callbacks.close {
            f(self.channel.as_ref(), reason);
        }
        self.channel = None;
        self.retract();
        delay
    }

    /// How long to wait for the next attempt; `None`: there is none.
    fn next_delay(&mut self, local: &LocalLoop, reason: &CloseReason) -> Option<Duration> {
        let by_us = matches!(reason, CloseReason::Local | CloseReason::Stopped);
        if by_us || local.is_stopping() || self.policy().is_none() {
            return None;
        }
        let again = match &mut self.callbacks.reconnect_if {
            Some(f) => local.call_user("reconnect_if", || f(reason)) == Some(true),
            None => !reason.is_permanent(),
        };
        // Asked again: the hook may have changed it.
        let policy = self.policy().filter(|_| again)?;
        self.retry.on_close(local, policy)
    }

    /// By which an attempt may follow, if the user still wants one.
    fn policy(&self) -> Option<ReconnectPolicy> {
        let current = lock(&self.current);
        let wanted = current.sessions.is(self.number) && !current.sessions.is_given_up();
        current.policy.filter(|_| wanted)
    }

    /// Only a `connect()` in the on_close goes on with what that had announced.
    fn retract(&self) {
        let mut current = lock(&self.current);
        if current.sessions.is(self.number) {
            current.announced = None;
        }
    }

    /// After `on_close`: waits for the next attempt, or ends the session.
    fn decide(self: Box<Self>, local: &LocalLoop, delay: Option<Duration>) {
        // The callback may have begun another session, or have ended this one.
        let goes_on = self.policy().is_some();
        match delay.filter(|_| goes_on) {
            Some(delay) => BackOffWait::begin(self, local, delay),
            None => local.drop_user(self),
        }
    }
}

impl Drop for Session {
    /// However it went: with its callbacks the session is over.
    fn drop(&mut self) {
        self.retract();
        let mut current = lock(&self.current);
        if current.sessions.is(self.number) {
            current.next_delay = None;
        }
        current.sessions.end(self.number);
    }
}

impl Handler for Session {
    fn on_up(&mut self, conn: &Conn<'_>) {
        let moved = self.channel.take();
        let channel = Channel::new(conn, moved.as_ref());
        conn.opened();
        {
            let mut current = lock(&self.current);
            if current.sessions.is(self.number) {
                // On another loop its id is that of something else at home.
                current.id = moved.is_none().then(|| conn.id());
                current.channel = Some(channel.clone());
            }
        }
        self.channel = Some(channel.clone());
        if self.callbacks.write_complete.is_some() {
            conn.set_water_marks(0, 0);
        }
        self.retry.on_open(conn.local());
        if moved.is_some() {
            self.loop_side.arrive(conn, &channel);
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
            self.loop_side.on_data(conn, channel, data, &mut deliver);
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
            self.loop_side.go_on(conn, channel, &mut deliver);
        }
    }

    fn on_low_water(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.write_complete, &self.channel) {
            // Zero: told already, of what was written twice before the first call.
            match conn.take_written() {
                0 => {}
                bytes => f(channel, bytes),
            }
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.end, &self.channel) {
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
        let delay = self.end(conn, &reason);
        if self.home.same_loop(&conn.local().event_loop()) {
            return self.decide(conn.local(), delay);
        }
        let home = self.home.clone();
        let refused = home.post_event(move |local| self.decide(local, delay));
        // The closure comes back, and with it the callbacks: the session is over.
        if let Err(LoopClosed(decide)) = refused {
            conn.local().drop_user(decide);
        }
    }
}
