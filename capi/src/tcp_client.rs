//! Clients of TCP, TLS and Unix streams.

mod session;

use self::session::Target;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::address::Place;
use crate::ffi::boundary::{boundary, status};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{bytes, millis, text, to_millis};
use crate::io::callbacks::{IoCallbacks, Streams, hvloop_io_callbacks};
use crate::io::unpack::{self, hvloop_unpack};
use crate::io::{IoBody, hvloop_io, lock};
use crate::reconnect::{self, hvloop_reconnect};
use crate::tls_client::{hvloop_tls_client, tls_client_for};
use hvloop::{Address, Proxy, TcpClient};
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex};

/// A client of TCP, TLS or Unix streams: one connection at a time. Each function may be called on any thread, also
/// in the client's own callbacks.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_tcp_client {
    _private: (),
}

impl Opaque for hvloop_tcp_client {
    type Body = TcpClientBody;
    const KIND: usize = 11;
}

/// See [`hvloop_tcp_client`].
pub(crate) struct TcpClientBody {
    client: TcpClient,
    streams: Arc<Streams>,
    target: Mutex<Target>,
}

/// The client behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn body<'a>(client: *const hvloop_tcp_client) -> Outcome<&'a TcpClientBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(client) }.map(|object| &object.body)
}

/// A client on that loop, which need not run yet. NULL if it fails.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_new(
    event_loop: *const hvloop_loop,
) -> *mut hvloop_tcp_client {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(handle::give(Object::new(TcpClientBody {
            client: TcpClient::new(event_loop),
            streams: Arc::new(Streams::new(Gate::default())),
            target: Mutex::default(),
        })))
    })
}

/// Frees a client: its connection ends in order, and none of its callbacks runs any more, nor will. Waits for one
/// that runs on another thread; inside of one it does not wait. NULL is allowed.
///
/// # Safety
///
/// NULL, or a client that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_free(client: *mut hvloop_tcp_client) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(client)? } {
            object.body.end();
            object.body.streams.wait();
        }
        Ok(())
    });
}

/// As `hvloop_tcp_client_free`, but does not wait: a callback that runs on another thread may go on for a while,
/// and then its data are dropped.
///
/// # Safety
///
/// As `hvloop_tcp_client_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_free_nowait(client: *mut hvloop_tcp_client) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(client)? } {
            object.body.end();
            object.body.streams.give_up();
        }
        Ok(())
    });
}

/// Sets what is called, from now on, also of a connection that is open already. 0 or a negative `hvloop_error`;
/// `drop` was called then.
///
/// # Safety
///
/// A client; the callbacks may be called on its loop's thread, and dropped on any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_callbacks(
    client: *const hvloop_tcp_client,
    callbacks: hvloop_io_callbacks,
) -> c_int {
    status(|| {
        let callbacks = IoCallbacks::new(callbacks);
        // SAFETY: the caller's word.
        unsafe { body(client)? }.streams.set_callbacks(callbacks);
        Ok(())
    })
}

/// Says where `hvloop_tcp_client_connect` connects to, and makes the socket for it, whose descriptor is returned:
/// one that fits the address (with a proxy: its). `host` is a name or an IP address; with a negative port, the path
/// of a Unix socket. A name is looked up, which may take a while, and an address of IPv4 is taken if it has one;
/// reconnects look again, and take whichever address answers. A socket that was made before and not connected is
/// closed. Or a negative `hvloop_error`: there is no such host, or the system has no socket to give.
///
/// # Safety
///
/// A client, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_socket(
    client: *const hvloop_tcp_client,
    host: *const c_char,
    port: c_int,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let host = unsafe { text(host)? };
        let place = Place::new(host, port)?;
        // SAFETY: the caller's word.
        let body = unsafe { body(client)? };
        Target::make_socket(&body.target, place)
    })
}

/// Gives the client's end an address: of the socket that was made, and of those that reconnects make. Port 0: any.
/// 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_bind(
    client: *const hvloop_tcp_client,
    host: *const c_char,
    port: c_int,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let host = unsafe { text(host)? };
        // SAFETY: the caller's word.
        let body = unsafe { body(client)? };
        match Place::new(host, port)?.resolve()? {
            Address::Inet(address) => lock(&body.target).bind(address),
            _ => Err(Failure::argument("a path is no address of a client")),
        }
    })
}

/// Begins to connect; what becomes of it is told by the callbacks, never from inside this call. While the last
/// connection is on its way to its end, since the client or the connection was closed, it is remembered, and begun
/// right after that. 0 or a negative `hvloop_error`: there is no place to connect to, the client is open or
/// connecting already (`HVLOOP_ERROR_STATE`), or the loop takes no more.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_connect(client: *const hvloop_tcp_client) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(client)? };
        session::connect(&object)
    })
}

/// Ends the connection in order, or gives the attempt up, and forgets by which policy another one was to follow. In
/// any state; never runs a callback in this call. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_close(client: *const hvloop_tcp_client) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { body(client)? }.close();
        Ok(())
    })
}

/// The connection, with one count for the caller. NULL: there is none now.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_io(client: *const hvloop_tcp_client) -> *mut hvloop_io {
    boundary(|| {
        // SAFETY: the caller's word.
        let channel = unsafe { body(client)? }.client.channel();
        let io = channel.as_ref().and_then(IoBody::of_stream);
        let none = || Failure::new(hvloop_error::NotFound, "there is no connection");
        Ok(handle::give(io.ok_or_else(none)?))
    })
}

/// 1: the connection is open; 0: it is not; or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_is_connected(client: *const hvloop_tcp_client) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let connected = unsafe { body(client)? }.client.is_connected();
        Ok(c_int::from(connected))
    })
}

/// Queues bytes for the peer: see `hvloop_io_send`. How many they are, or a negative `hvloop_error`.
///
/// # Safety
///
/// A client; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_send(
    client: *const hvloop_tcp_client,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let data = unsafe { bytes(data, size)? };
        // SAFETY: the caller's word.
        unsafe { body(client)? }.client.send(data)?;
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    })
}

/// Speaks TLS from the next connect on; NULL: does not. `server_name`, if it is not NULL, is what the server's
/// certificate is verified for, in the place of the host. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client; NULL, or a configuration; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_tls(
    client: *const hvloop_tcp_client,
    tls: *const hvloop_tls_client,
    server_name: *const c_char,
) -> c_int {
    status(|| {
        let tls = match tls.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(unsafe { tls_client_for(tls, server_name)? }),
        };
        // SAFETY: the caller's word.
        lock(&unsafe { body(client)? }.target).tls = tls;
        Ok(())
    })
}

/// How long it may take to open a connection, from the lookup to the end of the TLS handshake, in milliseconds, from
/// the next connect on; 0 or -1: the default, 10,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_connect_timeout(
    client: *const hvloop_tcp_client,
    ms: i64,
) -> c_int {
    status(|| {
        let timeout = millis(ms)?.filter(|timeout| !timeout.is_zero());
        // SAFETY: the caller's word.
        lock(&unsafe { body(client)? }.target).timeout = timeout;
        Ok(())
    })
}

/// By which delays the client connects again; NULL, the default: it does not. It holds at once, also for what is
/// under way: NULL ends a wait for the next attempt, of which nothing is told any more. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A client; NULL, or a policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_reconnect(
    client: *const hvloop_tcp_client,
    reconnect: *const hvloop_reconnect,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let policy = unsafe { reconnect::policy(reconnect)? };
        // SAFETY: the caller's word.
        Ok(unsafe { body(client)? }.client.set_reconnect(policy)?)
    })
}

/// How many attempts have followed one another before the one under way, or which is up, or is waited for. In
/// `on_close`: before the one that has ended. A negative `hvloop_error` if it is none.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_retries(client: *const hvloop_tcp_client) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        Ok(unsafe { body(client)? }.client.retries().into())
    })
}

/// In an `on_close` that another attempt is to follow, and while that is waited for: how long the wait is in all, in
/// milliseconds. 0: nothing is waited for. Or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_next_delay(client: *const hvloop_tcp_client) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let delay = unsafe { body(client)? }.client.next_delay();
        Ok(delay.map_or(0, to_millis))
    })
}

/// `on_message` gets packages that are cut by this rule, from the next connect on; NULL: bytes as they come. See
/// `hvloop_io_set_unpack` for a connection that is up. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client; NULL, or a rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_unpack(
    client: *const hvloop_tcp_client,
    unpack: *const hvloop_unpack,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let unpack = unsafe { unpack::rule(unpack)? };
        // SAFETY: the caller's word.
        unsafe { body(client)? }.client.set_unpack(unpack);
        Ok(())
    })
}

/// Connects through a proxy from the next connect on, such as "http://user:password@host:3128" or
/// "socks5://host:1080"; NULL: directly. A socket that was made before is closed, and the client makes its own. 0
/// or a negative `hvloop_error`.
///
/// # Safety
///
/// A client; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tcp_client_set_proxy(
    client: *const hvloop_tcp_client,
    url: *const c_char,
) -> c_int {
    status(|| {
        let proxy = match url.is_null() {
            true => None,
            false => {
                // SAFETY: the caller's word.
                let parsed = Proxy::parse(unsafe { text(url)? });
                Some(parsed.map_err(|e| Failure::argument(e.to_string()))?)
            }
        };
        // SAFETY: the caller's word.
        lock(&unsafe { body(client)? }.target).set_proxy(proxy);
        Ok(())
    })
}
