//! A server's connection on its loop: the request, then the messages.

use super::channel::{Agreed, WebSocketChannel};
use super::service::WebSocketService;
use super::shared::ServerShared;
use crate::deflate;
use crate::events::{ConnectionError, Initiator, Message};
use crate::handshake::{Accept, HttpRequest, HttpResponse, RequestProgress, ServerHandshake};
use crate::protocol::Role;
use crate::websocket::{Reading, Stage, WebSocket};
use http::StatusCode;
use hvloop_event::conn::{Conn, Handler, Ticket};
use hvloop_event::log;
use hvloop_event::{CloseReason, lock};
use std::rc::Rc;
use std::sync::Arc;

/// See the module. Owned by the connection's slot on the loop.
pub(super) struct ServerConnection {
    server: Arc<ServerShared>,
    ticket: Ticket,
    state: State,
    /// Why it never became a WebSocket. Apart: most do.
    failure: Option<Box<ConnectionError>>,
}

enum State {
    /// The request is being read.
    Request(Box<ServerHandshake>),
    /// It is a WebSocket.
    Open(Box<Open>),
    /// It was answered otherwise, and ends.
    Answered,
}

struct Open {
    service: Arc<WebSocketService>,
    channel: WebSocketChannel,
    websocket: Rc<WebSocket>,
    reading: Reading,
}

/// What becomes of a request.
enum Outcome {
    Accept {
        service: Arc<WebSocketService>,
        answer: Vec<u8>,
        agreed: Agreed,
    },
    /// Another answer; with an error, if a WebSocket was asked for.
    Answer(HttpResponse, Option<ConnectionError>),
}

impl ServerConnection {
    pub(super) fn new(server: Arc<ServerShared>, ticket: Ticket) -> Self {
        let handshake = ServerHandshake::new(lock(&server.settings).handshake);
        Self {
            server,
            ticket,
            state: State::Request(Box::new(handshake)),
            failure: None,
        }
    }

    /// Reads the request; gives the bytes behind it back once it has made a WebSocket.
    fn request<'b>(&mut self, conn: &Conn<'_>, data: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let State::Request(handshake) = &mut self.state else {
            return Some(data);
        };
        let (request, consumed) = match handshake.feed(data) {
            Ok(RequestProgress::NeedMore) => return None,
            Ok(RequestProgress::Done { request, consumed }) => (request, consumed),
            Err(e) => {
                let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = HttpResponse::text(status, e.to_string());
                let error = ConnectionError::BadRequest(e);
                self.answer(conn, &http::Method::GET, &answer, Some(error));
                return None;
            }
        };
        match self.judge(conn, &request) {
            Outcome::Answer(answer, error) => {
                self.answer(conn, &request.method, &answer, error);
                None
            }
            Outcome::Accept {
                service,
                answer,
                agreed,
            } => {
                let opened = self.open(conn, &request, service, &answer, agreed);
                let rest = data.get_mut(consumed..);
                rest.filter(|_| opened)
            }
        }
    }

    fn judge(&self, conn: &Conn<'_>, request: &HttpRequest) -> Outcome {
        let local = conn.local();
        let refuse = |status: StatusCode| {
            let error = ConnectionError::Refused(status.as_u16());
            Outcome::Answer(status.into(), Some(error))
        };
        let service = self.server.service(&request.path);
        if !request.is_upgrade() {
            let http = lock(&self.server.settings).http.clone();
            let answer = match http {
                Some(f) => local
                    .call_user("on_http", || f(request))
                    .unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into()),
                None if service.is_some() => StatusCode::UPGRADE_REQUIRED.into(),
                None => StatusCode::NOT_FOUND.into(),
            };
            return Outcome::Answer(answer, None);
        }
        let Some(service) = service else {
            return refuse(StatusCode::NOT_FOUND);
        };
        let key = match request.check_upgrade() {
            Ok(key) => key,
            Err(e) => {
                let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = HttpResponse::text(status, e.to_string());
                return Outcome::Answer(answer, Some(ConnectionError::BadUpgrade(e)));
            }
        };
        if let Some(f) = &service.check_origin {
            let good = local.call_user("check_origin", || f(request.origin()));
            if good != Some(true) {
                return refuse(StatusCode::FORBIDDEN);
            }
        }
        let accept = match &service.upgrade {
            None => Accept::new(),
            Some(f) => match local.call_user("on_upgrade", || f(request)) {
                Some(Ok(accept)) => accept,
                Some(Err(answer)) => {
                    let error = ConnectionError::Refused(answer.status().as_u16());
                    return Outcome::Answer(answer, Some(error));
                }
                None => return refuse(StatusCode::INTERNAL_SERVER_ERROR),
            },
        };
        let chosen = accept.chosen_subprotocol();
        let offered = |name: &str| request.subprotocols().any(|offered| offered == name);
        if let Some(name) = chosen.filter(|name| !offered(name)) {
            log::error!("hvloop: on_upgrade chose subprotocol {name}, which was not offered");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let deflate = service.options.connection.deflate.as_ref();
        let deflate = deflate.and_then(|options| deflate::accept(&request.headers, options));
        let (deflate, extensions) = deflate.unzip();
        let agreed = Agreed {
            subprotocol: chosen.map(str::to_owned),
            deflate,
            #[cfg(feature = "tls")]
            alpn: conn.alpn().map(Vec::into_boxed_slice),
            #[cfg(not(feature = "tls"))]
            alpn: None,
        };
        Outcome::Accept {
            answer: accept.to_bytes(&key, extensions.as_deref()),
            service,
            agreed,
        }
    }

    /// Answers with something else than a WebSocket, and ends the connection.
    fn answer(
        &mut self,
        conn: &Conn<'_>,
        method: &http::Method,
        answer: &HttpResponse,
        error: Option<ConnectionError>,
    ) {
        self.state = State::Answered;
        self.failure = error.map(Box::new);
        say(conn, &answer.to_bytes(method));
        conn.finish(CloseReason::Local);
    }

    /// Makes a WebSocket of it. `false`: the server or its loop was stopped meanwhile.
    fn open(
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
fn say(conn: &Conn<'_>, bytes: &[u8]) {
    let sent = conn.send_control(bytes.len(), |out| out.extend_from_slice(bytes));
    if let Err(e) = sent {
        log::debug!("hvloop: no answer sent: {e}");
    }
}

impl Handler for ServerConnection {
    fn on_up(&mut self, _conn: &Conn<'_>) {
        // The request comes first; its time-out goes on.
    }

    fn on_data(&mut self, conn: &Conn<'_>, data: &mut [u8]) {
        let opening = !matches!(self.state, State::Open(_));
        if opening && conn.local().is_stopping() {
            return; // this turn ends it: no on_open after stop()
        }
        let rest = self.request(conn, data);
        if let (Some(rest), State::Open(open)) = (rest, &mut self.state) {
            open.frames(conn, rest);
        }
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
        if let State::Open(open) = &self.state {
            open.websocket.sent(conn);
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
        if let State::Open(open) = &mut self.state {
            open.read(|reading, deliver| reading.resume(conn, deliver), conn);
        }
    }

    fn on_end(&mut self, conn: &Conn<'_>) {
        match &mut self.state {
            State::Open(open) => open.reading.end_of_stream(conn),
            State::Request(_) => {
                self.failure = Some(Box::new(ConnectionError::UpgradeInterrupted));
                conn.finish(CloseReason::Peer);
            }
            State::Answered => conn.finish(CloseReason::Peer),
        }
    }

    fn on_stop(&mut self, conn: &Conn<'_>) {
        match &self.state {
            State::Open(open) => {
                let (local, why) = (conn.local(), CloseReason::Stopped);
                open.websocket.finish(local, 1001, "", Initiator::Loop, why);
            }
            State::Request(_) => conn.close_now(CloseReason::Stopped),
            State::Answered => conn.finish(CloseReason::Stopped),
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
