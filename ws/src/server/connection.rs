//! A server's connection on its loop: requests, then the messages.

use super::channel::{Agreed, WebSocketChannel};
use super::http::Http;
use super::service::WebSocketService;
use super::shared::ServerShared;
use crate::events::{ConnectionError, Initiator, Message};
use crate::handshake::HttpRequest;
use crate::protocol::Role;
use crate::websocket::{Reading, Stage, WebSocket};
use hvloop_event::conn::{Conn, Handler, Ticket};
use hvloop_event::log;
use hvloop_event::{CloseReason, lock};
use std::rc::Rc;
use std::sync::Arc;

/// See the module. Owned by the connection's slot on the loop.
pub(super) struct ServerConnection {
    pub(super) server: Arc<ServerShared>,
    ticket: Ticket,
    pub(super) state: State,
    /// Why it never became a WebSocket. Apart: most do.
    pub(super) failure: Option<Box<ConnectionError>>,
}

pub(super) enum State {
    /// Requests are read, and answered.
    Http(Box<Http>),
    /// It is a WebSocket.
    Open(Box<Open>),
    /// It was answered otherwise, and ends.
    Answered,
}

pub(super) struct Open {
    service: Arc<WebSocketService>,
    channel: WebSocketChannel,
    websocket: Rc<WebSocket>,
    reading: Reading,
}

impl ServerConnection {
    pub(super) fn new(server: Arc<ServerShared>, ticket: Ticket) -> Self {
        let http = {
            let settings = lock(&server.settings);
            Http::new(settings.handshake, settings.http_options)
        };
        Self {
            server,
            ticket,
            state: State::Http(Box::new(http)),
            failure: None,
        }
    }

    /// Takes what came: requests, and then frames.
    pub(super) fn take_in(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let data = match &self.state {
            State::Open(_) => Some(data),
            _ => self.requests(conn, data),
        };
        if let (Some(data), State::Open(open)) = (data, &mut self.state) {
            open.frames(conn, data);
        }
    }

    /// Makes a WebSocket of it. `false`: the server or its loop was stopped meanwhile.
    pub(super) fn open(
        &mut self,
        conn: &Conn<'_>,
        request: &HttpRequest,
        service: Arc<WebSocketService>,
        answer: &[u8],
        agreed: Agreed,
    ) -> bool {
        let local = conn.local();
        let options = service.options.connection.clone();
        let websocket = WebSocket::new(Role::Server, options);
        let Ok(id) = local.attach(websocket.clone()) else {
            return false; // this turn ends it
        };
        let mut reading = Reading::new(&websocket);
        if let Some(params) = &agreed.deflate {
            reading.set_deflate(params);
        }
        let deflate = agreed.deflate;
        let channel = WebSocketChannel::new(conn, (&websocket, id), agreed, &self.server.topics);
        self.server.enter(&channel);
        if !self.ticket.up() {
            self.server.leave(&channel);
            local.detach(id);
            conn.close_now(CloseReason::Local);
            return false;
        }
        websocket.set_conn(conn.id());
        say(conn, answer);
        websocket.open(conn, deflate.as_ref());
        let done = match &service.open {
            Some(f) => local.call_user("on_open", || f(&channel, request)),
            None => Some(()),
        };
        if done.is_none() {
            websocket.fail_panicked(local);
        }
        self.state = State::Open(Box::new(Open {
            reading,
            service,
            channel,
            websocket,
        }));
        true
    }

    fn tell_failure(self, conn: &Conn<'_>, reason: CloseReason) {
        let error = match (self.failure, self.state) {
            (Some(error), _) => *error,
            // What it asked for; the peer need not have ended its side behind it.
            (None, State::Answered) if conn.lost() == 0 && answered(&reason) => return,
            (None, State::Http(http)) if conn.lost() == 0 && http.is_idle() => return,
            (None, _) => ConnectionError::Transport(reason),
        };
        let failed = lock(&self.server.settings).failed.clone();
        match failed {
            Some(f) => {
                let peer = conn.peer();
                conn.local()
                    .call_user("on_failed", || f(peer.as_ref(), &error));
            }
            None => log::debug!("hvloop: a connection became no WebSocket: {error}"),
        }
    }
}

impl Open {
    fn frames(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        self.read(|reading, deliver| reading.frames(conn, data, deliver), conn);
    }

    fn read(
        &mut self,
        f: impl FnOnce(&mut Reading, &mut dyn FnMut(Message<'_>) -> Option<()>),
        conn: &Conn<'_>,
    ) {
        let (service, channel) = (&self.service, &self.channel);
        let mut deliver = |message: Message<'_>| match &service.message {
            Some(f) => conn.local().call_user("on_message", || f(channel, message)),
            None => Some(()),
        };
        f(&mut self.reading, &mut deliver);
    }
}

/// Whether an answer of which all was written had its orderly end, as far as that is known.
fn answered(reason: &CloseReason) -> bool {
    reason.is_clean() || matches!(reason, CloseReason::Forced)
}

/// Sends what is no frame.
pub(super) fn say(conn: &Conn<'_>, bytes: &[u8]) {
    let sent = conn.send_control(bytes.len(), |out| out.extend_from_slice(bytes));
    if let Err(e) = sent {
        log::debug!("hvloop: no answer sent: {e}");
    }
}

impl Handler for ServerConnection {
    fn on_up(&mut self, _conn: &Conn<'_>) {
        // The request comes first; its time-out goes on.
    }

    fn on_open_timeout(&mut self, conn: &Conn<'_>) {
        match &self.state {
            State::Http(http) => http.timed_out(conn),
            _ => conn.open_timed_out(),
        }
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        self.take_in(conn, data);
    }

    fn room(&mut self, conn: &Conn<'_>) -> Option<&mut [u8]> {
        match &mut self.state {
            State::Open(open) => open.reading.room(conn),
            _ => None,
        }
    }

    fn on_room_filled(&mut self, conn: &Conn<'_>, size: usize) {
        if let State::Open(open) = &mut self.state {
            open.read(|reading, deliver| reading.filled(conn, size, deliver), conn);
        }
    }

    fn on_low_water(&mut self, conn: &Conn<'_>) {
        let State::Open(open) = &self.state else {
            return;
        };
        if let Some(f) = &open.service.drain
            && open.websocket.stage() == Stage::Open
        {
            let done = conn.local().call_user("on_drain", || f(&open.channel));
            if done.is_none() {
                open.websocket.fail_panicked(conn.local());
            }
        }
    }

    fn on_sent(&mut self, conn: &Conn<'_>) {
        match &self.state {
            State::Open(open) => open.websocket.sent(conn),
            _ => self.go_on(conn),
        }
    }

    fn missing(&self) -> Option<usize> {
        match &self.state {
            State::Open(open) => open.reading.missing(),
            _ => None,
        }
    }

    fn on_read_on(&mut self, conn: &Conn<'_>) {
        if let State::Open(open) = &self.state {
            open.reading.reads_on(conn);
        }
    }

    fn on_memory_limit(&mut self, conn: &Conn<'_>, limit: usize) {
        match &mut self.state {
            State::Open(open) => open.reading.give_back(conn, limit),
            _ => conn.close_now(CloseReason::MemoryLimit(limit)),
        }
    }

    fn on_call(&mut self, conn: &Conn<'_>) {
        match &mut self.state {
            State::Open(open) => open.read(|reading, deliver| reading.resume(conn, deliver), conn),
            _ => self.go_on(conn),
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        match &mut self.state {
            State::Open(open) => open.reading.end_of_stream(conn),
            State::Http(_) => self.end_of_requests(conn),
            State::Answered => conn.finish(CloseReason::Peer),
        }
    }

    fn on_stop(&mut self, conn: &Conn<'_>) {
        match &self.state {
            State::Open(open) => {
                let (local, why) = (conn.local(), CloseReason::Stopped);
                open.websocket.finish(local, 1001, "", Initiator::Loop, why);
            }
            State::Http(http) if !http.has_answered() => conn.close_now(CloseReason::Stopped),
            _ => conn.finish(CloseReason::Stopped),
        }
    }

    fn on_close(mut self: Box<Self>, conn: &Conn<'_>, reason: CloseReason) {
        let open = match std::mem::replace(&mut self.state, State::Answered) {
            State::Open(open) => open,
            other => {
                self.state = other;
                return self.tell_failure(conn, reason);
            }
        };
        let local = conn.local();
        open.websocket.ended(local);
        local.detach(open.channel.websocket_id());
        open.channel.mark_closed();
        self.server.leave(&open.channel);
        drop(self);
        let event = open.websocket.close_event(true, &reason, conn.lost());
        if let Some(f) = &open.service.close {
            local.call_user("on_close", || f(&open.channel, &event));
        }
    }
}
