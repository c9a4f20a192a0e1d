//! The WebSocket server.

use super::connection::{message, number};
use super::route::{Routes, failed};
use super::server_state::Settings;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::text;
use crate::http_callback::HttpCallback;
use crate::io::open::Open;
use crate::io::{hvloop_io, lock};
use crate::listeners::{self, Listeners};
use hvloop::ws::handshake::{HttpRequest, HttpResponse};
use hvloop::ws::http::StatusCode;
use hvloop::{EventLoop, Message, WebSocketServer};
use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::sync::{Arc, Mutex};

/// A WebSocket server, which answers plain HTTP, too. Freed by `hvloop_ws_server_free`. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_ws_server {
    _private: (),
}

/// See [`hvloop_ws_server`].
pub(crate) struct ServerBody {
    pub(super) core: Arc<ServerCore>,
    /// That of the acceptor.
    pub(super) event_loop: EventLoop,
    pub(super) state: Mutex<State>,
}

/// What its connections need.
pub(super) struct ServerCore {
    gate: Gate,
    pub(super) open: Arc<Open>,
    http: Mutex<Option<Arc<HttpCallback>>>,
}

/// What changes.
pub(super) struct State {
    pub(super) server: Arc<WebSocketServer>,
    pub(super) settings: Settings,
    pub(super) routes: Routes,
    listeners: Listeners,
    /// Something has been served since the last stop.
    pub(super) started: bool,
}

impl Opaque for hvloop_ws_server {
    type Body = ServerBody;
    const KIND: usize = 45;
}

/// The server behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
pub(super) unsafe fn server<'a>(server: *const hvloop_ws_server) -> Outcome<&'a ServerBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(server) }.map(|object| &object.body)
}

impl ServerCore {
    /// Has C asked what is no upgrade.
    pub(super) fn set_http(
        self: &Arc<Self>,
        server: &WebSocketServer,
        callback: Arc<HttpCallback>,
    ) {
        let before = lock(&self.http).replace(callback);
        // With nothing locked.
        drop(before);
        self.answer_on(server);
    }

    /// Has C asked, if there is something to ask.
    pub(super) fn answer_on(self: &Arc<Self>, server: &WebSocketServer) {
        if lock(&self.http).is_some() {
            let core = self.clone();
            server.on_http(move |request| core.answer(request));
        }
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let callback = lock(&self.http).clone();
        let said = self
            .gate
            .enter(|| callback.map(|callback| callback.ask(request, 200)));
        match said {
            Some(Some((0, answer))) => answer
                .body
                .to_response()
                .unwrap_or_else(|error| failed(&error.text)),
            Some(_) => StatusCode::NOT_FOUND.into(),
            None => StatusCode::SERVICE_UNAVAILABLE.into(),
        }
    }
}

impl ServerBody {
    pub(super) fn server(&self) -> Arc<WebSocketServer> {
        lock(&self.state).server.clone()
    }

    fn close_listeners(&self) {
        let (server, own) = {
            let mut state = lock(&self.state);
            (state.server.clone(), state.listeners.close())
        };
        own.end();
        server.close_listeners();
    }

    fn start(&self) -> Outcome {
        let (server, listeners) = {
            let mut state = lock(&self.state);
            let listen = state.settings.listen();
            let listeners = state.listeners.take_waiting(&listen)?;
            state.started = true;
            (state.server.clone(), listeners)
        };
        for listening in listeners {
            server.listen_on(listening)?;
        }
        Ok(())
    }

    fn stop(&self) {
        self.close_listeners();
        let server = {
            let mut state = lock(&self.state);
            state.started = false;
            state.server.clone()
        };
        server.stop();
    }
}

/// A server that accepts on that loop, which need not run yet, and serves there, or on the loops of
/// `hvloop_ws_server_set_workers`. NULL if it fails.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_new(
    event_loop: *const hvloop_loop,
) -> *mut hvloop_ws_server {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? }.clone();
        let state = State {
            server: Arc::new(WebSocketServer::new(&event_loop)),
            settings: Settings::default(),
            routes: Routes::default(),
            listeners: Listeners::default(),
            started: false,
        };
        Ok(handle::give(Object::new(ServerBody {
            core: Arc::new(ServerCore {
                gate: Gate::for_threads(),
                open: Arc::default(),
                http: Mutex::default(),
            }),
            event_loop,
            state: Mutex::new(state),
        })))
    })
}

/// Frees a server: none of its callbacks, nor of its connections, runs any more when this returns, which waits for
/// those that run on other threads. Listeners and connections are closed in order. NULL is allowed.
///
/// # Safety
///
/// NULL, or a server that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_free(server: *mut hvloop_ws_server) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(server) }.map(|server| free(server, true)))
}

/// As `hvloop_ws_server_free`, but waits for nothing: callbacks that run on other threads go on.
///
/// # Safety
///
/// As `hvloop_ws_server_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_free_nowait(server: *mut hvloop_ws_server) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(server) }.map(|server| free(server, false)))
}

fn free(object: Option<Arc<Object<hvloop_ws_server>>>, wait: bool) {
    let Some(object) = object else { return };
    let ServerBody { core, state, .. } = &object.body;
    let routes = mem::take(&mut lock(state).routes).all();
    core.gate.shut();
    for route in &routes {
        route.gate.shut();
    }
    object.body.stop();
    if wait {
        core.gate.wait();
        for route in &routes {
            route.gate.wait();
        }
    }
    let http = lock(&core.http).take();
    // With nothing locked.
    drop(http);
}

/// Opens a listener, whose descriptor is returned: connections wait in its backlog until `hvloop_ws_server_start`.
/// `host` is an IP address or a name, of which an address is taken, of IPv4 if it has one; NULL: all addresses of
/// IPv4. Port 0: any; a negative port: `host` is the path of a Unix socket. `backlog`: how many may wait; 0: 1,024.
/// May be called for several addresses. Or a negative `hvloop_error`, usually that the address is in use.
///
/// # Safety
///
/// A server; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_socket(
    server: *const hvloop_ws_server,
    host: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        let host = match host.is_null() {
            true => "0.0.0.0",
            // SAFETY: the caller's word.
            false => unsafe { text(host)? },
        };
        // With nothing locked: a name may take a while.
        let opened = listeners::open(host, port, backlog)?;
        Ok(lock(&body.state).listeners.add(opened))
    })
}

/// Takes a listener that was made elsewhere and listens already; its descriptor is the server's from now on, also if
/// this fails. The descriptor, or a negative `hvloop_error`: it does not listen.
///
/// # Safety
///
/// A server, and a descriptor that nobody else closes; a negative one is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_from_fd(
    server: *const hvloop_ws_server,
    fd: c_int,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let taken = unsafe { listeners::take(fd)? };
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        Ok(lock(&body.state).listeners.add(taken))
    })
}

/// The port of the listener that was opened last, 0 if it is that of a Unix socket; or a negative `hvloop_error`:
/// there was none yet.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_port(server: *const hvloop_ws_server) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        lock(&unsafe { self::server(server)? }.state)
            .listeners
            .port()
    })
}

/// Serves the listeners that were opened since the last call, as is set by now. Connections are accepted once the
/// loop runs. Never waits. 0 or a negative `hvloop_error`: there are none, or the loop is stopping.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_start(server: *const hvloop_ws_server) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::server(server) }.and_then(ServerBody::start))
}

/// Closes the listeners; connections go on. Others may be opened after it. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_close_listeners(
    server: *const hvloop_ws_server,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::server(server) }.map(ServerBody::close_listeners))
}

/// Closes the listeners, and ends every connection in order, with a Close of code 1001. Never waits; each connection
/// has its `on_close`. The loops go on. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_stop(server: *const hvloop_ws_server) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::server(server) }.map(ServerBody::stop))
}

/// How many connections there are, those included that are no WebSocket yet; or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_count(server: *const hvloop_ws_server) -> i64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::server(server) }.map(|body| number(body.server().connection_num())))
}

/// Calls a function with each WebSocket that is open, in this call. Nothing is locked meanwhile. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A server; the function may be called with `data`, and with handles that are valid for the time of each call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_for_each(
    server: *const hvloop_ws_server,
    call: Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io)>,
    data: *mut c_void,
) -> c_int {
    status(|| {
        let call = call.ok_or_else(|| Failure::new(hvloop_error::Null, "the callback is NULL"))?;
        // SAFETY: the caller's word.
        for io in unsafe { self::server(server)? }.core.open.all() {
            // SAFETY: the caller's word.
            unsafe { call(data, handle::lend(&io)) }
        }
        Ok(())
    })
}

/// The open WebSocket of that number (`hvloop_io_id`), with one count for the caller. NULL: there is none.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_io_by_id(
    server: *const hvloop_ws_server,
    id: u64,
) -> *mut hvloop_io {
    boundary(|| {
        // SAFETY: the caller's word.
        let io = unsafe { self::server(server)? }.core.open.find(id);
        let none = || Failure::new(hvloop_error::NotFound, "no connection has this number");
        Ok(handle::give(io.ok_or_else(none)?))
    })
}

/// Sends a message to every WebSocket that is open: see `hvloop_ws_send`. To how many, those not counted whose queue
/// has no room; or a negative `hvloop_error`.
///
/// # Safety
///
/// A server; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_broadcast(
    server: *const hvloop_ws_server,
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let server = unsafe { self::server(server)? }.server();
        // SAFETY: the caller's word.
        Ok(number(match unsafe { message(opcode, data, size)? } {
            Message::Text(text) => server.broadcast_text(text),
            Message::Binary(bytes) => server.broadcast_binary(bytes),
        }))
    })
}

/// Sends a message to every WebSocket that is subscribed to a topic. To how many, those not counted whose queue has
/// no room; or a negative `hvloop_error`.
///
/// # Safety
///
/// A server, a text that ends with a NUL, and so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_publish(
    server: *const hvloop_ws_server,
    topic: *const c_char,
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let server = unsafe { self::server(server)? }.server();
        // SAFETY: the caller's word.
        let topic = unsafe { text(topic)? };
        // SAFETY: the caller's word.
        Ok(number(match unsafe { message(opcode, data, size)? } {
            Message::Text(text) => server.publish_text(topic, text),
            Message::Binary(bytes) => server.publish_binary(topic, bytes),
        }))
    })
}
