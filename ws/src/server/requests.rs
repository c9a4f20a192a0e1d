//! What becomes of requests: an answer, or a WebSocket.

use super::channel::Agreed;
use super::connection::{ServerConnection, State, say};
use super::http::Step;
use super::service::WebSocketService;
use crate::deflate;
use crate::events::ConnectionError;
use crate::handshake::{Accept, BadRequest, HttpRequest, HttpResponse, Persistence};
use http::{Method, StatusCode};
use hvloop_event::conn::Conn;
use hvloop_event::{CloseReason, lock, log};
use std::sync::Arc;

/// What becomes of a request for a WebSocket.
enum Judgement {
    Accept {
        service: Arc<WebSocketService>,
        answer: Vec<u8>,
        agreed: Agreed,
    },
    Refuse(HttpResponse, ConnectionError),
}

impl ServerConnection {
    /// Reads requests, and answers them; gives the bytes behind the one back that has made a WebSocket.
    pub(super) fn requests<'b>(
        &mut self,
        conn: &Conn<'_>,
        data: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let mut at = 0;
        loop {
            let State::Http(http) = &mut self.state else {
                return None;
            };
            if conn.local().is_stopping() {
                return None; // this turn ends it: no on_open after stop()
            }
            if !conn.is_up() || http.waits(conn, &data[at..]) {
                return None;
            }
            match http.feed(conn, &data[at..]) {
                Ok(Step::NeedMore) => return None,
                Ok(Step::Head(request, consumed)) => {
                    at += consumed;
                    if request.is_upgrade() {
                        let opened = self.upgrade(conn, &request);
                        return data.get_mut(at..).filter(|_| opened);
                    }
                    self.head(conn, request, at < data.len());
                }
                Ok(Step::Whole(request, consumed)) => {
                    at += consumed;
                    self.serve(conn, &request);
                }
                Err(e) => {
                    self.refuse(conn, &Method::GET, e);
                    return None;
                }
            }
        }
    }

    /// The head of a request that asks for no WebSocket; `more`: something came behind it.
    fn head(&mut self, conn: &Conn<'_>, request: Box<HttpRequest>, more: bool) {
        let State::Http(http) = &mut self.state else {
            return;
        };
        if !self.server.answers_http() {
            let answer = match self.server.service(&request.path) {
                Some(_) => StatusCode::UPGRADE_REQUIRED,
                None => StatusCode::NOT_FOUND,
            };
            let method = &request.method;
            return self.answer(conn, method, &answer.into(), None, Persistence::Close);
        }
        let body = request.expects_continue().and_then(|expects| {
            let body = request.has_body();
            let reader = body.then(|| request.body_reader(http.options.max_body));
            Ok((reader.transpose()?, expects))
        });
        match body {
            Ok((None, _)) => self.serve(conn, &request),
            Ok((Some(reader), expects)) => {
                if expects && !more {
                    say(conn, b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                http.read_body(request, reader);
            }
            Err(e) => self.refuse(conn, &request.method, e),
        }
    }

    /// Has a request answered by the user.
    fn serve(&mut self, conn: &Conn<'_>, request: &HttpRequest) {
        let local = conn.local();
        let http = lock(&self.server.settings).http.clone();
        let answer = match http {
            Some(f) => local
                .call_user("on_http", || f(request))
                .unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into()),
            None => StatusCode::NOT_FOUND.into(),
        };
        let goes_on = matches!(&self.state, State::Http(http) if http.options.keep_alive.is_some())
            && request.keeps_alive()
            && answer.status() != StatusCode::UPGRADE_REQUIRED
            && !local.is_stopping();
        let persistence = match goes_on {
            true => Persistence::KeepAlive,
            false => Persistence::Close,
        };
        self.answer(conn, &request.method, &answer, None, persistence);
    }

    fn refuse(&mut self, conn: &Conn<'_>, method: &Method, error: BadRequest) {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let answer = HttpResponse::text(status, error.to_string());
        let error = ConnectionError::BadRequest(error);
        self.answer(conn, method, &answer, Some(error), Persistence::Close);
    }

    /// Answers with something else than a WebSocket.
    fn answer(
        &mut self,
        conn: &Conn<'_>,
        method: &Method,
        answer: &HttpResponse,
        error: Option<ConnectionError>,
        persistence: Persistence,
    ) {
        say(conn, &answer.to_bytes(method, persistence));
        match (&mut self.state, persistence) {
            (State::Http(http), Persistence::KeepAlive) => http.next(conn),
            (state, _) => {
                *state = State::Answered;
                self.failure = error.map(Box::new);
                conn.finish(CloseReason::Local);
            }
        }
    }

    /// A request for a WebSocket. Whether there is one now.
    fn upgrade(&mut self, conn: &Conn<'_>, request: &HttpRequest) -> bool {
        match self.judge(conn, request) {
            Judgement::Refuse(answer, error) => {
                let method = &request.method;
                self.answer(conn, method, &answer, Some(error), Persistence::Close);
                false
            }
            Judgement::Accept {
                service,
                answer,
                agreed,
            } => self.open(conn, request, service, &answer, agreed),
        }
    }

    fn judge(&self, conn: &Conn<'_>, request: &HttpRequest) -> Judgement {
        let local = conn.local();
        let refuse = |status: StatusCode| {
            let error = ConnectionError::Refused(status.as_u16());
            Judgement::Refuse(status.into(), error)
        };
        let Some(service) = self.server.service(&request.path) else {
            return refuse(StatusCode::NOT_FOUND);
        };
        let key = match request.check_upgrade() {
            Ok(key) => key,
            Err(e) => {
                let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = HttpResponse::text(status, e.to_string());
                return Judgement::Refuse(answer, ConnectionError::BadUpgrade(e));
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
                    return Judgement::Refuse(answer, error);
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
        Judgement::Accept {
            answer: accept.to_bytes(&key, extensions.as_deref()),
            service,
            agreed,
        }
    }

    /// Goes on with the requests that waited for their turn.
    pub(super) fn go_on(&mut self, conn: &Conn<'_>) {
        let State::Http(http) = &mut self.state else {
            return;
        };
        let mut pending = http.take_pending(conn);
        self.take_in(conn, &mut pending);
        if matches!(&self.state, State::Http(http) if http.has_ended()) {
            self.end_of_requests(conn);
        }
    }

    /// The peer has ended its side.
    pub(super) fn end_of_requests(&mut self, conn: &Conn<'_>) {
        let State::Http(http) = &mut self.state else {
            return;
        };
        let Some(answered) = http.end() else {
            return;
        };
        if !answered {
            self.failure = Some(Box::new(ConnectionError::UpgradeInterrupted));
        }
        conn.finish(CloseReason::Peer);
    }
}
