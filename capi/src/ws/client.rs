//! The WebSocket client.

use super::callbacks::{WsCallbacks, hvloop_ws_callbacks};
use super::client_core::{ClientCore, is_stopping};
use super::connection::{close_code, hvloop_ws_state, message, number, reason};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{self, event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{put, text};
use crate::http_response::{self, hvloop_http_response};
use crate::io::{hvloop_io, lock};
use crate::loop_options;
use crate::report::hvloop_report;
use hvloop::event::LocalLoop;
use hvloop::ws::{ClientState, WsUrl};
use hvloop::{ClientOptions, OpenError, WebSocketClient};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// A WebSocket client, on a loop of the program's or on one that it brings, which has a thread of its own. Freed by
/// `hvloop_ws_client_free`. Each function may be called on any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_ws_client {
    _private: (),
}

/// See [`hvloop_ws_client`].
pub(crate) struct ClientBody {
    pub(super) client: WebSocketClient,
    pub(super) core: Arc<ClientCore>,
}

impl Opaque for hvloop_ws_client {
    type Body = ClientBody;
    const KIND: usize = 44;
}

/// The client behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
pub(super) unsafe fn client<'a>(client: *const hvloop_ws_client) -> Outcome<&'a ClientBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(client) }.map(|object| &object.body)
}

/// A client on that loop, which need not run yet; NULL: on a loop of its own, whose thread is started by
/// `hvloop_ws_client_open`. NULL if it fails.
///
/// # Safety
///
/// NULL, or a loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_new(
    event_loop: *const hvloop_loop,
) -> *mut hvloop_ws_client {
    boundary(|| {
        let core = ClientCore::new();
        let client = match event_loop.is_null() {
            true => {
                let options = ClientOptions::new();
                WebSocketClient::owned_with_loop_options(options, loop_options::defaults())
            }
            // SAFETY: the caller's word.
            false => WebSocketClient::new(unsafe { self::event_loop(event_loop)? }),
        };
        lock(&core.settings).is_own_loop = event_loop.is_null();
        core.listen(&client);
        Ok(handle::give(Object::new(ClientBody { client, core })))
    })
}

/// Frees a client: none of its callbacks runs any more when this returns, which waits for one that runs on another
/// thread. The connection is closed in order; if the client has brought its loop, this waits for the end of
/// that, unless this is its thread. NULL is allowed.
///
/// # Safety
///
/// NULL, or a client that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_free(client: *mut hvloop_ws_client) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(client) }.map(|client| free(client, true)))
}

/// As `hvloop_ws_client_free`, but waits for nothing: a callback that runs on another thread goes on.
///
/// # Safety
///
/// As `hvloop_ws_client_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_free_nowait(client: *mut hvloop_ws_client) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(client) }.map(|client| free(client, false)))
}

fn free(object: Option<Arc<Object<hvloop_ws_client>>>, wait: bool) {
    let Some(object) = object else { return };
    let core = &object.body.core;
    core.gate.shut();
    if wait {
        core.gate.wait();
    }
    core.give_up();
    let event_loop = object.body.client.event_loop();
    let is_own = lock(&core.settings).is_own_loop;
    if let Some(event_loop) = event_loop.filter(|_| is_own && !wait) {
        object.body.client.stop();
        // On its own thread it does not wait for that.
        let late = event_loop.post_event(move |_: &LocalLoop| drop(object));
        // Or its loop has ended.
        drop(late);
    }
}

/// What is called of the client's connections, in the place of what was; it holds at once. A client on a loop
/// of its own gives it up when that loop has ended: set it again before the next open. 0 or a negative
/// `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A client; the callbacks may be called, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_callbacks(
    client: *const hvloop_ws_client,
    callbacks: hvloop_ws_callbacks,
) -> c_int {
    status(|| {
        let callbacks = WsCallbacks::new(callbacks);
        // SAFETY: the caller's word.
        let body = unsafe { self::client(client)? };
        let fresh = is_stopping(body.client.event_loop().as_ref());
        body.core.set_callbacks(callbacks, fresh);
        Ok(())
    })
}

/// Begins to connect to a `ws://` or `wss://` URL. What becomes of it is told by the callbacks, never inside this
/// call. If the client is open, connecting or waiting to connect again, that is closed first, and the new one begins
/// when it has ended: `on_close` comes for it as always. May be called inside `on_close`. A client whose own loop
/// was stopped waits for its end, and gets a new one; not inside a callback of that loop. 0 or a negative
/// `hvloop_error`: the URL or what is set is wrong, or the loop takes no connections any more. Then nothing was
/// begun.
///
/// # Safety
///
/// A client, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_open(
    client: *const hvloop_ws_client,
    url: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let url = unsafe { text(url)? };
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(client)? };
        match object.body.core.open(&object.body.client, url) {
            Err(OpenError::AlreadyOpen) => open_anew(&object, url),
            opened => Ok(opened?),
        }
    })
}

/// Closes what there is, and has the other opened when that has ended.
fn open_anew(object: &Arc<Object<hvloop_ws_client>>, url: &str) -> Outcome {
    url.parse::<WsUrl>()?;
    let ClientBody { client, core } = &object.body;
    let event_loop = client.event_loop();
    let event_loop =
        event_loop.ok_or_else(|| Failure::new(hvloop_error::State, "it is being opened"))?;
    if event_loop.is_stopping() {
        if !lock(&core.settings).is_own_loop || event_loop.is_in_loop_thread() {
            return Err(OpenError::LoopClosed.into());
        }
        client.join()?;
        return Ok(core.open(client, url)?);
    }
    core.open_later(url);
    client.close(1000, "")?;
    if event_loop.is_in_loop_thread() {
        core.open_pending(client);
        return Ok(());
    }
    // If it was waiting to connect again, its `on_close` has come before.
    let object = Arc::downgrade(object);
    let posted = event_loop.post_event(move |_: &LocalLoop| {
        if let Some(object) = object.upgrade() {
            object.body.core.open_pending(&object.body.client);
        }
    });
    posted.map_err(|_| {
        core.open_no_more();
        OpenError::LoopClosed.into()
    })
}

/// Closes: sends a Close with that code and reason (NULL: none; cut to 123 bytes), or gives up what is under way, or
/// the wait for the next attempt. The client does not connect again by itself. In any state, any number of times;
/// never waits. 0 or a negative `hvloop_error`: no program may send this code.
///
/// # Safety
///
/// A client; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_close(
    client: *const hvloop_ws_client,
    code: c_int,
    reason: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let reason = unsafe { self::reason(reason)? };
        let code = close_code(code)?;
        // SAFETY: the caller's word.
        let body = unsafe { self::client(client)? };
        body.client.close(code, reason)?;
        body.core.open_no_more();
        Ok(())
    })
}

/// Sends a message on the open connection: see `hvloop_ws_send`.
///
/// # Safety
///
/// A client; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_send(
    client: *const hvloop_ws_client,
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::client(client)? };
        // SAFETY: the caller's word.
        body.client.send(unsafe { message(opcode, data, size)? })?;
        Ok(number(size))
    })
}

/// Sends a Ping on the open connection: see `hvloop_ws_ping`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_ping(client: *const hvloop_ws_client) -> c_int {
    // SAFETY: the caller's word.
    status(|| Ok(unsafe { self::client(client)? }.client.ping(b"")?))
}

/// Closes with code 1000; if the client has brought its loop, stops that, too. Never waits: see
/// `hvloop_ws_client_join`. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_stop(client: *const hvloop_ws_client) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::client(client)? };
        body.core.open_no_more();
        body.client.stop();
        Ok(())
    })
}

/// Waits until the client's own loop has ended, which was told to stop. `report`, if it is not NULL, is told how that
/// went. 0, or a negative `hvloop_error`: this is its thread, the loop is another's, or the client was never opened.
///
/// # Safety
///
/// A client; NULL, or a place for a report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_join(
    client: *const hvloop_ws_client,
    report: *mut hvloop_report,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let joined = unsafe { self::client(client)? }.client.join()?;
        // SAFETY: the caller's word.
        unsafe { put(report, hvloop_report::from(&joined)) };
        Ok(())
    })
}

/// Where the client is in its life: a `hvloop_ws_state`, or a negative `hvloop_error`. On another thread than the
/// loop's it may change any moment.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_state(client: *const hvloop_ws_client) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let state = unsafe { self::client(client)? }.client.state();
        Ok(match state {
            ClientState::Connecting => hvloop_ws_state::Connecting,
            ClientState::Open => hvloop_ws_state::Open,
            ClientState::Closing => hvloop_ws_state::Closing,
            ClientState::BackingOff => hvloop_ws_state::BackingOff,
            _ => hvloop_ws_state::Closed,
        } as c_int)
    })
}

/// How many bytes were accepted for sending that the socket has not taken yet, or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_buffered(client: *const hvloop_ws_client) -> i64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::client(client) }.map(|body| number(body.client.buffered_amount())))
}

/// The open connection, with one count for the caller. NULL: there is none.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_io(client: *const hvloop_ws_client) -> *mut hvloop_io {
    boundary(|| {
        // SAFETY: the caller's word.
        let io = unsafe { self::client(client)? }.core.io();
        let none = || Failure::new(hvloop_error::NotOpen, "the client is not open");
        Ok(handle::give(io.ok_or_else(none)?))
    })
}

/// The loop that the client is on, with one count for the caller. NULL: it brings its own, and was never opened.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_loop(
    client: *const hvloop_ws_client,
) -> *mut hvloop_loop {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::client(client)? }.client.event_loop();
        let none = || Failure::new(hvloop_error::NotFound, "the client was never opened");
        Ok(event_loop::give(&event_loop.ok_or_else(none)?))
    })
}

/// What the server answered to the upgrade of the last attempt, also if it refused: a copy, which
/// `hvloop_http_response_free` frees. NULL: there is no answer.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_response(
    client: *const hvloop_ws_client,
) -> *mut hvloop_http_response {
    boundary(|| {
        // SAFETY: the caller's word.
        let response = unsafe { self::client(client)? }.client.upgrade_response();
        let none = || Failure::new(hvloop_error::NotFound, "there is no answer");
        let response = response.ok_or_else(none)?;
        Ok(handle::give(http_response::show(&response)))
    })
}

/// How many times the client has connected again, or is to, since it was open last. 0 if it is none.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_retries(client: *const hvloop_ws_client) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::client(client) }.map(|body| body.core.retries().into()))
}

/// How long the client waits for the next attempt, in milliseconds, as of the last `on_close`; -1: there is none; or
/// another negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_next_delay(client: *const hvloop_ws_client) -> i64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::client(client) }.map(|body| body.core.next_delay_ms()))
}
