//! Servers of TCP, TLS and Unix streams.

mod serving;

use self::serving::Serving;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{bytes, text};
use crate::io::callbacks::{IoCallbacks, Streams, hvloop_io_callbacks};
use crate::io::unpack::{self, hvloop_unpack};
use crate::io::{hvloop_io, lock};
use crate::listeners;
use crate::pool::{hvloop_pool, load_balance};
use crate::tls_server::{hvloop_tls_server, tls_server};
use hvloop::EventLoop;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex};

/// A server of TCP, TLS or Unix streams. Each function may be called on any thread, also in the server's own
/// callbacks.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_tcp_server {
    _private: (),
}

impl Opaque for hvloop_tcp_server {
    type Body = TcpServerBody;
    const KIND: usize = 12;
}

/// See [`hvloop_tcp_server`].
pub(crate) struct TcpServerBody {
    /// Of the acceptor.
    event_loop: EventLoop,
    streams: Arc<Streams>,
    serving: Mutex<Serving>,
}

/// The server behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn body<'a>(server: *const hvloop_tcp_server) -> Outcome<&'a TcpServerBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(server) }.map(|object| &object.body)
}

/// A server that accepts on that loop, which need not run yet, and serves on it, unless it is given workers. NULL if
/// it fails.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_new(
    event_loop: *const hvloop_loop,
) -> *mut hvloop_tcp_server {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let streams = Arc::new(Streams::new(Gate::for_threads()));
        let serving = Mutex::new(Serving::new(event_loop, &streams));
        Ok(handle::give(Object::new(TcpServerBody {
            event_loop: event_loop.clone(),
            streams,
            serving,
        })))
    })
}

/// Frees a server: its listeners close, its connections end in order, and none of its callbacks runs any more, nor
/// will. Waits for those that run on other threads; inside of one it does not wait for that. NULL is allowed.
///
/// # Safety
///
/// NULL, or a server that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_free(server: *mut hvloop_tcp_server) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(server)? } {
            object.body.streams.shut();
            object.body.stop();
            object.body.streams.wait();
        }
        Ok(())
    });
}

/// As `hvloop_tcp_server_free`, but does not wait: callbacks that run on other threads may go on for a while, and
/// then their data are dropped.
///
/// # Safety
///
/// As `hvloop_tcp_server_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_free_nowait(server: *mut hvloop_tcp_server) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(server)? } {
            object.body.streams.shut();
            object.body.stop();
            object.body.streams.give_up();
        }
        Ok(())
    });
}

/// Serves connections on the loops of that pool; NULL: on the acceptor's. Before the server is started, or after
/// `hvloop_tcp_server_stop`. The pool's threads are the caller's to start and to stop. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A server; NULL, or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_workers(
    server: *const hvloop_tcp_server,
    workers: *const hvloop_pool,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { body(server)? };
        let workers = match workers.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(&unsafe { handle::get(workers)? }.body),
        };
        body.set_workers(workers)
    })
}

/// Sets what is called, from now on, also of connections that are open already: on the thread of each one's loop,
/// so that with several loops several run at the same time. 0 or a negative `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A server; the callbacks may be called on the threads of its loops, and dropped on any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_callbacks(
    server: *const hvloop_tcp_server,
    callbacks: hvloop_io_callbacks,
) -> c_int {
    status(|| {
        let callbacks = IoCallbacks::new(callbacks);
        // SAFETY: the caller's word.
        unsafe { body(server)? }.streams.set_callbacks(callbacks);
        Ok(())
    })
}

/// Opens a listener, whose descriptor is returned: connections wait in its backlog until
/// `hvloop_tcp_server_start`. `host` is an IP address or a name, of which an address is taken, of IPv4 if it has
/// one; NULL: all addresses of IPv4. Port 0: any; a negative port: `host` is the path of a Unix socket. `backlog`:
/// how many may wait; 0: 1,024. May be called for several addresses. Or a negative `hvloop_error`, usually that the
/// address is in use.
///
/// # Safety
///
/// A server; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_socket(
    server: *const hvloop_tcp_server,
    host: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    boundary(|| {
        let host = match host.is_null() {
            true => "0.0.0.0",
            // SAFETY: the caller's word.
            false => unsafe { text(host)? },
        };
        // SAFETY: the caller's word.
        let body = unsafe { body(server)? };
        // With nothing locked: a name may take a while.
        let opened = listeners::open(host, port, backlog)?;
        Ok(lock(&body.serving).listeners.add(opened))
    })
}

/// Takes a listener that was made elsewhere and listens already; its descriptor is the server's from now on, also if
/// this fails. The descriptor, or a negative `hvloop_error`: it does not listen.
///
/// # Safety
///
/// A server; an open descriptor, which nobody else closes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_from_fd(
    server: *const hvloop_tcp_server,
    fd: c_int,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let taken = unsafe { listeners::take(fd)? };
        // SAFETY: the caller's word.
        let body = unsafe { body(server)? };
        Ok(lock(&body.serving).listeners.add(taken))
    })
}

/// The port of the listener that was opened last, as port 0 became it; of a Unix socket 0. Or a negative
/// `hvloop_error`: there was none.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_port(server: *const hvloop_tcp_server) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        lock(&unsafe { body(server)? }.serving).listeners.port()
    })
}

/// Accepts at the listeners that were opened since the last time, once the loop runs. 0 or a negative
/// `hvloop_error`: there are none (`HVLOOP_ERROR_STATE`), or the loop takes no more; they are closed then.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_start(server: *const hvloop_tcp_server) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { body(server)? }.start())
}

/// Closes the listeners: nothing is accepted any more, connections go on. `hvloop_tcp_server_socket` and
/// `hvloop_tcp_server_start` may follow. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_close_listeners(
    server: *const hvloop_tcp_server,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { body(server)? }.close_listeners();
        Ok(())
    })
}

/// Closes the listeners, and ends all connections in order, each of which has its `on_close`. Never waits, never
/// runs a callback in this call, and does not stop loops. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_stop(server: *const hvloop_tcp_server) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { body(server)? }.stop();
        Ok(())
    })
}

/// Speaks TLS at listeners that are started from now on; NULL: does not. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server; NULL, or a configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_tls(
    server: *const hvloop_tcp_server,
    tls: *const hvloop_tls_server,
) -> c_int {
    status(|| {
        let tls = match tls.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(unsafe { tls_server(tls)? }),
        };
        // SAFETY: the caller's word.
        lock(&unsafe { body(server)? }.serving).tls = tls;
        Ok(())
    })
}

/// How a server with workers chooses among them: a `hvloop_load_balance`. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_balance(
    server: *const hvloop_tcp_server,
    balance: c_int,
) -> c_int {
    status(|| {
        let balance = load_balance(balance)?;
        // SAFETY: the caller's word.
        lock(&unsafe { body(server)? }.serving).set_balance(balance);
        Ok(())
    })
}

/// Turns connections away while there are so many. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_max_connections(
    server: *const hvloop_tcp_server,
    connections: u32,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        lock(&unsafe { body(server)? }.serving).set_max(connections as usize);
        Ok(())
    })
}

/// `on_message` gets packages that are cut by this rule, of connections that are accepted from now on; NULL: bytes
/// as they come. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A server; NULL, or a rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_set_unpack(
    server: *const hvloop_tcp_server,
    unpack: *const hvloop_unpack,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let unpack = unsafe { unpack::rule(unpack)? };
        // SAFETY: the caller's word.
        lock(&unsafe { body(server)? }.serving).set_unpack(unpack);
        Ok(())
    })
}

/// How many connections are up, or a negative `hvloop_error`.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_count(server: *const hvloop_tcp_server) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let count = unsafe { body(server)? }.streams.open.count();
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    })
}

/// Calls `call(data, io)` for each connection that is up, on this thread and in this call, with nothing locked. 0
/// or a negative `hvloop_error`.
///
/// # Safety
///
/// A server, which `call` does not free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_for_each(
    server: *const hvloop_tcp_server,
    call: Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io)>,
    data: *mut c_void,
) -> c_int {
    status(|| {
        let null = || Failure::new(hvloop_error::Null, "the callback is NULL");
        let call = call.ok_or_else(null)?;
        // SAFETY: the caller's word.
        let all = unsafe { body(server)? }.streams.open.all();
        for io in &all {
            // SAFETY: what is called, and with what, is C's own.
            unsafe { call(data, handle::lend(io)) }
        }
        Ok(())
    })
}

/// The connection of that number, while it is up, with one count for the caller. NULL: there is none.
///
/// # Safety
///
/// A server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_io_by_id(
    server: *const hvloop_tcp_server,
    id: u64,
) -> *mut hvloop_io {
    boundary(|| {
        // SAFETY: the caller's word.
        let io = unsafe { body(server)? }.streams.open.find(id);
        let none = || Failure::new(hvloop_error::NotFound, "there is no such connection");
        Ok(handle::give(io.ok_or_else(none)?))
    })
}

/// Sends the same bytes to every connection that is up. To how many, or a negative `hvloop_error`: those whose queue
/// has no room are left out.
///
/// # Safety
///
/// A server; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_server_broadcast(
    server: *const hvloop_tcp_server,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let data = unsafe { bytes(data, size)? };
        // SAFETY: the caller's word.
        let rust = lock(&unsafe { body(server)? }.serving).server();
        Ok(i64::try_from(rust.broadcast(data)).unwrap_or(i64::MAX))
    })
}
