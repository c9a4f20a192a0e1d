//! What can be set about a client.

use super::client::{client, hvloop_ws_client};
use super::client_settings::Settings;
use super::limits::{deflate, limits};
use crate::error::Outcome;
use crate::ffi::boundary::status;
use crate::ffi::text::{millis, some_millis, text};
use crate::io::lock;
use crate::reconnect::{self, hvloop_reconnect};
use crate::tls_client::{hvloop_tls_client, named, names, tls_client_for};
use hvloop::tls::TlsClientConfig;
use hvloop::ws::WsUrl;
use hvloop::ws::handshake::UpgradeRequest;
use hvloop::{ClientOptions, Proxy};
use std::ffi::{c_char, c_int};

/// Changes the settings.
///
/// # Safety
///
/// As `handle::get`.
unsafe fn change(
    client: *const hvloop_ws_client,
    f: impl FnOnce(&mut Settings) -> Outcome,
) -> Outcome {
    // SAFETY: the caller's word.
    let body = unsafe { self::client(client)? };
    f(&mut lock(&body.core.settings))
}

/// Changes the options.
///
/// # Safety
///
/// As `handle::get`.
unsafe fn set(
    client: *const hvloop_ws_client,
    f: impl FnOnce(ClientOptions) -> Outcome<ClientOptions>,
) -> Outcome {
    // SAFETY: the caller's word.
    unsafe {
        change(client, |settings| {
            settings.options = f(settings.options.clone())?;
            Ok(())
        })
    }
}

/// A request to check what is sent with one.
fn request() -> Outcome<UpgradeRequest> {
    let url: WsUrl = "ws://localhost/".parse()?;
    Ok(UpgradeRequest::new(&url))
}

/// Sends this header with each upgrade from the next open on, in the place of one of that name. NULL: sends none of
/// that name. 0 or a negative `hvloop_error`: it cannot be sent, or belongs to the handshake.
///
/// # Safety
///
/// A client, and texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_header(
    client: *const hvloop_ws_client,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        let value = match value.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(unsafe { text(value)? }),
        };
        drop(request()?.header(name, value.unwrap_or_default())?);
        // SAFETY: the caller's word.
        unsafe {
            change(client, |settings| {
                let headers = &mut settings.headers;
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
                Ok(())
            })
        }
    })
}

/// Sends none of the headers any more that were set. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_clear_headers(client: *const hvloop_ws_client) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe {
        change(client, |settings| {
            settings.headers.clear();
            Ok(())
        })
    })
}

/// Offers these subprotocols from the next open on, the preferred one first: a list such as "chat.v2, chat.v1"; NULL
/// or an empty one: none. 0 or a negative `hvloop_error`: one of them is none, or comes twice.
///
/// # Safety
///
/// A client; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_subprotocols(
    client: *const hvloop_ws_client,
    list: *const c_char,
) -> c_int {
    status(|| {
        let list = match list.is_null() {
            true => Vec::new(),
            // SAFETY: the caller's word.
            false => names(unsafe { text(list)? }),
        };
        let mut request = request()?;
        for name in &list {
            request = request.subprotocol(name)?;
        }
        // SAFETY: the caller's word.
        unsafe {
            change(client, |settings| {
                settings.subprotocols = list.into_iter().map(str::to_owned).collect();
                Ok(())
            })
        }
    })
}

/// How long an attempt may take over all, from DNS to the upgrade, in milliseconds; from the next open on. Default
/// 10,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_open_timeout(
    client: *const hvloop_ws_client,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.open_timeout(some_millis(ms)?))) })
}

/// How long the peer may take to answer a Close, in milliseconds; from the next open on. Default 5,000. 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_close_timeout(
    client: *const hvloop_ws_client,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe {
        set(
            client,
            |options| Ok(options.close_timeout(some_millis(ms)?)),
        )
    })
}

/// Sends a Ping when nothing came for so many milliseconds; 0 or -1: never. From the next open on. Default 30,000.
/// 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_ping_interval(
    client: *const hvloop_ws_client,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.ping_interval(millis(ms)?))) })
}

/// How long after an unanswered Ping a peer that sends nothing counts as dead, in milliseconds; from the next open
/// on. Default 10,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_pong_timeout(
    client: *const hvloop_ws_client,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.pong_timeout(some_millis(ms)?))) })
}

/// Connects again by that policy whenever an attempt or a session has ended by anything but a close, a stop, or a
/// refusal that would come again; NULL: no more, which also ends a wait for the next attempt. It holds at once. 0 or
/// a negative `hvloop_error`: it contradicts itself.
///
/// # Safety
///
/// A client; NULL, or a policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_reconnect(
    client: *const hvloop_ws_client,
    reconnect: *const hvloop_reconnect,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let policy = unsafe { reconnect::policy(reconnect)? };
        // SAFETY: the caller's word.
        let body = unsafe { self::client(client)? };
        lock(&body.core.settings).policy = policy;
        Ok(body.client.set_reconnect(policy)?)
    })
}

/// How `wss` is spoken, from the next open on; NULL: verified by the platform's roots. `server_name`, if it is not
/// NULL, is the name to verify servers for. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client; NULL, or a TLS configuration of clients; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_tls(
    client: *const hvloop_ws_client,
    tls: *const hvloop_tls_client,
    server_name: *const c_char,
) -> c_int {
    status(|| {
        let config = if tls.is_null() {
            // What is the default of clients, too.
            let verified = TlsClientConfig::builder().alpn(["http/1.1"]).build()?;
            // SAFETY: the caller's word.
            unsafe { named(verified, server_name)? }
        } else {
            // SAFETY: the caller's word.
            unsafe { tls_client_for(tls, server_name)? }
        };
        // SAFETY: the caller's word.
        unsafe { set(client, |options| Ok(options.tls(config))) }
    })
}

/// Connects through this proxy from the next open on, such as "http://user:password@proxy:3128" or
/// "socks5://proxy"; NULL: directly. 0 or a negative `hvloop_error`: it is no URL of a proxy.
///
/// # Safety
///
/// A client; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_proxy(
    client: *const hvloop_ws_client,
    url: *const c_char,
) -> c_int {
    status(|| {
        let proxy = match url.is_null() {
            true => None,
            // SAFETY: the caller's word.
            false => Some(unsafe { text(url)? }.parse::<Proxy>()?),
        };
        // SAFETY: the caller's word.
        unsafe { set(client, |options| Ok(options.proxy(proxy))) }
    })
}

/// Follows so many redirects of the upgrade at the most, from the next open on. Default 0: none. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_max_redirects(
    client: *const hvloop_ws_client,
    redirects: u32,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.redirects(redirects))) })
}

/// The most bytes that a message of the peer may have; one that has more closes the connection with 1009. From the
/// next open on. Default 64 MiB, 16 MiB of them in a frame. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_max_message_size(
    client: *const hvloop_ws_client,
    size: usize,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.limits(limits(size)))) })
}

/// The most bytes that may wait to be sent; a message that is over it is refused. From the next open on. Default 16
/// MiB. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_send_limit(
    client: *const hvloop_ws_client,
    bytes: usize,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.send_limit(bytes))) })
}

/// 1: offers to compress messages (permessage-deflate), from the next open on; 0, the default: does not. 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_client_set_deflate(
    client: *const hvloop_ws_client,
    on: c_int,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(client, |options| Ok(options.deflate(deflate(on)?))) })
}
