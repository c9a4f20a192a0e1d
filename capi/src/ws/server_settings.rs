//! What can be set about a WebSocket server.

use super::route::Route;
use super::server::{ServerBody, hvloop_ws_server, server};
use super::server_state::Settings;
use super::service::hvloop_ws_service;
use crate::error::{Failure, hvloop_error};
use crate::ffi::boundary::status;
use crate::ffi::handle;
use crate::ffi::text::{millis, text};
use crate::http_callback::{HttpCallback, hvloop_http_callback};
use crate::io::lock;
use crate::pool::{hvloop_pool, load_balance};
use crate::tls_server::{hvloop_tls_server, tls_server};
use hvloop::WebSocketServer;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

impl ServerBody {
    /// Changes the settings, and the server with them.
    fn set(&self, f: impl FnOnce(&mut Settings)) {
        let mut state = lock(&self.state);
        f(&mut state.settings);
        state.settings.apply(&state.server);
    }
}

/// Serves connections on the loops of that pool, as `hvloop_ws_server_set_balance` says; NULL: on the loop that
/// accepts them. While the server is not started. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server; NULL, or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_workers(
    server: *const hvloop_ws_server,
    workers: *const hvloop_pool,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        let event_loop = &body.event_loop;
        let fresh = if workers.is_null() {
            WebSocketServer::new(event_loop)
        } else {
            // SAFETY: the caller's word.
            let pool = unsafe { handle::get(workers)? };
            WebSocketServer::with_workers(event_loop, &pool.body)
        };
        let mut state = lock(&body.state);
        if state.started {
            return Err(Failure::new(
                hvloop_error::State,
                "the server is started: hvloop_ws_server_stop comes first",
            ));
        }
        state.settings.apply(&fresh);
        for (path, route) in state.routes.present() {
            fresh.route(path, route.service());
        }
        body.core.answer_on(&fresh);
        state.server = Arc::new(fresh);
        Ok(())
    })
}

/// What is done with upgrades at a path, in the place of what was said before: an exact path, or all that begins with
/// what stands before a "*" at its end. An exact path goes before a prefix, a longer prefix before a shorter
/// one. Others are refused with 404. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server, a text that ends with a NUL, and a service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_route(
    server: *const hvloop_ws_server,
    path: *const c_char,
    service: *const hvloop_ws_service,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        // SAFETY: the caller's word.
        let path = unsafe { text(path)? };
        if !path.starts_with('/') && path != "*" {
            return Err(Failure::argument(format!("{path:?} is no path")));
        }
        // SAFETY: the caller's word.
        let service = unsafe { handle::share(service)? };
        let route = Route::new(service, &body.core.open);
        let server = {
            let mut state = lock(&body.state);
            state.routes.add(path, &route);
            state.server.clone()
        };
        // What was there before is dropped here, or with its last connection.
        server.route(path, route.service());
        Ok(())
    })
}

/// Answers requests that ask for no upgrade, in the place of what answered them before: the callback fills in the
/// answer, whose status is 200 unless another one is set, and returns 0; else the answer is 404. Without a callback
/// it is 426 at a path that has a service, else 404, and ends the connection. Requests of one connection are answered in
/// their order. 0 or a negative `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A server; the callback may be called, and dropped, on the threads of its loops, several at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_on_http(
    server: *const hvloop_ws_server,
    callback: hvloop_http_callback,
) -> c_int {
    status(|| {
        let callback = HttpCallback::new(callback)?;
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        body.core.set_http(&body.server(), callback);
        Ok(())
    })
}

/// Speaks TLS at listeners that are started from now on; NULL: does not. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server; NULL, or a TLS configuration of servers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_tls(
    server: *const hvloop_ws_server,
    tls: *const hvloop_tls_server,
) -> c_int {
    status(|| {
        let tls = match tls.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(unsafe { tls_server(tls)? }),
        };
        // SAFETY: the caller's word.
        unsafe { self::server(server)? }.set(|settings| settings.tls = tls);
        Ok(())
    })
}

/// How the loop of a new connection is chosen: a `hvloop_load_balance`. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_balance(
    server: *const hvloop_ws_server,
    balance: c_int,
) -> c_int {
    status(|| {
        let balance = load_balance(balance)?;
        // SAFETY: the caller's word.
        unsafe { self::server(server)? }.set(|settings| settings.balance = Some(balance));
        Ok(())
    })
}

/// Turns connections away while there are so many; `UINT32_MAX`, the default: none. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_max_connections(
    server: *const hvloop_ws_server,
    connections: u32,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        body.set(|settings| settings.max_connections = Some(connections));
        Ok(())
    })
}

/// The longest body of a request that asks for no upgrade, in bytes: one that is longer is answered with 413. For
/// connections accepted from now on. Default 1 MiB. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_max_body_size(
    server: *const hvloop_ws_server,
    size: usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        body.set(|settings| settings.http = settings.http.max_body(size));
        Ok(())
    })
}

/// How many milliseconds a connection waits for the next request; 0 or -1: it ends after an answer. For connections
/// accepted from now on. Default 15,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_server_set_keep_alive(
    server: *const hvloop_ws_server,
    ms: i64,
) -> c_int {
    status(|| {
        let timeout = millis(ms)?.filter(|timeout| !timeout.is_zero());
        // SAFETY: the caller's word.
        let body = unsafe { self::server(server)? };
        body.set(|settings| settings.http = settings.http.keep_alive(timeout));
        Ok(())
    })
}
