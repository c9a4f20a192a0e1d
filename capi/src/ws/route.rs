//! A service at a server: what is called of its connections.

use super::callbacks::WsCallbacks;
use super::service::{ServiceBody, hvloop_ws_service};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object};
use crate::http_request;
use crate::http_response::HttpResponseBody;
use crate::io::open::Open;
use crate::io::{Io, IoBody};
use hvloop::ws::handshake::{Accept, HttpRequest, HttpResponse};
use hvloop::ws::http::StatusCode;
use hvloop::{CloseEvent, WebSocketChannel, WebSocketService};
use std::ptr;
use std::sync::{Arc, Weak};

/// See the module. It ends with the service, or with the server.
pub(super) struct Route {
    pub(super) gate: Arc<Gate>,
    service: Arc<Object<hvloop_ws_service>>,
    /// Those of the server.
    open: Arc<Open>,
}

/// The routes of a server.
#[derive(Default)]
pub(super) struct Routes {
    present: Vec<(String, Arc<Route>)>,
    /// Others have taken their place; they go with their last connections.
    replaced: Vec<Weak<Route>>,
}

impl Routes {
    /// It takes the place of the one at that path.
    pub(super) fn add(&mut self, path: &str, route: &Arc<Route>) {
        self.replaced.retain(|route| route.strong_count() > 0);
        match self.present.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => {
                let before = std::mem::replace(known, route.clone());
                self.replaced.push(Arc::downgrade(&before));
            }
            None => self.present.push((path.to_owned(), route.clone())),
        }
    }

    pub(super) fn present(&self) -> impl Iterator<Item = (&str, &Arc<Route>)> {
        let present = self.present.iter();
        present.map(|(path, route)| (path.as_str(), route))
    }

    /// All that may have connections.
    pub(super) fn all(self) -> Vec<Arc<Route>> {
        let present = self.present.into_iter().map(|(_, route)| route);
        let replaced = self.replaced.iter().filter_map(Weak::upgrade);
        present.chain(replaced).collect()
    }
}

impl Route {
    pub(super) fn new(service: Arc<Object<hvloop_ws_service>>, open: &Arc<Open>) -> Arc<Self> {
        let route = Arc::new(Self {
            gate: Arc::new(Gate::for_threads()),
            service,
            open: open.clone(),
        });
        route.body().enter(&route.gate);
        route
    }

    fn body(&self) -> &ServiceBody {
        &self.service.body
    }

    /// As Rust has it.
    pub(super) fn service(self: &Arc<Self>) -> WebSocketService {
        let service = WebSocketService::new().options(self.body().options());
        let route = self.clone();
        let service = service.on_upgrade(move |request| route.upgrade(request));
        let route = self.clone();
        let service = service.on_open(move |channel, request| route.opened(channel, request));
        let route = self.clone();
        let service = service.on_message(move |channel, message| {
            route.call(channel, |callbacks, io| callbacks.on_message(io, message));
        });
        let route = self.clone();
        let service = service
            .on_drain(move |channel| route.call(channel, |callbacks, io| callbacks.on_drain(io)));
        let route = self.clone();
        service.on_close(move |channel, event| route.closed(channel, event))
    }

    fn upgrade(&self, request: &HttpRequest) -> Result<Accept, HttpResponse> {
        let gone = || HttpResponse::from(StatusCode::SERVICE_UNAVAILABLE);
        let asked = self.body().upgrade();
        // Also of a service that accepts everything.
        let said = self
            .gate
            .enter(|| asked.map(|asked| asked.ask(request, 101)));
        match said.ok_or_else(gone)? {
            None => self.choose(Accept::new(), request),
            Some((0, answer)) => match answer.body.to_accept() {
                Ok(accept) => self.choose(accept, request),
                Err(error) => Err(failed(&error.text)),
            },
            Some((_, answer)) => Err(refusal(&answer.body)),
        }
    }

    /// Chooses a subprotocol, if none is chosen: the first one of the service's that the client offers.
    fn choose(&self, accept: Accept, request: &HttpRequest) -> Result<Accept, HttpResponse> {
        if accept.chosen_subprotocol().is_some() {
            return Ok(accept);
        }
        let offered = |name: &str| request.subprotocols().any(|offered| offered == name);
        match self.body().subprotocol(offered) {
            None => Ok(accept),
            Some(name) => accept
                .subprotocol(&name)
                .map_err(|error| failed(&error.to_string())),
        }
    }

    fn opened(&self, channel: &WebSocketChannel, request: &HttpRequest) {
        let io = IoBody::of_new_websocket(channel, &self.gate);
        self.open.enter(&io);
        let Some(callbacks) = self.body().callbacks() else {
            return;
        };
        self.gate.enter(|| {
            let request = http_request::show(request);
            callbacks.on_open(&io, handle::lend(&request), ptr::null());
        });
    }

    /// Calls something of C's.
    fn call(&self, channel: &WebSocketChannel, f: impl FnOnce(&WsCallbacks, &Arc<Io>)) {
        if let (Some(callbacks), Some(io)) =
            (self.body().callbacks(), IoBody::of_websocket(channel))
        {
            self.gate.enter(|| f(&callbacks, &io));
        }
    }

    fn closed(&self, channel: &WebSocketChannel, event: &CloseEvent) {
        let io = self.open.leave(channel.id().raw());
        if let Some(callbacks) = self.body().callbacks() {
            self.gate.enter(|| callbacks.on_close(io.as_ref(), event));
        }
        if let Some(io) = io {
            io.body.ended();
        }
    }
}

/// What C has answered in the place of an acceptance.
fn refusal(answer: &HttpResponseBody) -> HttpResponse {
    answer.refuses();
    answer
        .to_response()
        .unwrap_or_else(|error| failed(&error.text))
}

/// C's answer cannot be sent.
pub(super) fn failed(why: &str) -> HttpResponse {
    log::error!("hvloop: an answer cannot be sent: {why}");
    StatusCode::INTERNAL_SERVER_ERROR.into()
}
