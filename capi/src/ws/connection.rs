//! What the connection of a WebSocket can do, of either side.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::put_text;
use crate::ffi::boundary::{boundary, status};
use crate::ffi::text::{bytes, text};
use crate::io::{What, hvloop_io, io, unsupported};
use hvloop::ws::ChannelState;
use hvloop::{ClientConnection, Message, WebSocketChannel};
use std::ffi::{c_char, c_int, c_void};

/// Where a WebSocket is in its life.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_ws_state {
    /// Nothing is there; or it has ended.
    Closed = 0,
    /// A client's attempt is under way: DNS, connect, TLS, the upgrade.
    Connecting = 1,
    /// Messages go both ways.
    Open = 2,
    /// The close handshake is under way.
    Closing = 3,
    /// A client waits to connect again.
    BackingOff = 4,
}

/// A WebSocket's connection.
#[derive(Clone, Copy)]
pub(super) enum Ws<'a> {
    Server(&'a WebSocketChannel),
    Client(&'a ClientConnection),
}

/// The one behind a handle.
///
/// # Safety
///
/// As `handle::get`.
unsafe fn ws<'a>(io: *const hvloop_io) -> Outcome<Ws<'a>> {
    // SAFETY: the caller's word.
    match unsafe { self::io(io)? }.what() {
        What::WebSocket(channel) => Ok(Ws::Server(channel)),
        What::WebSocketClient(connection) => Ok(Ws::Client(connection)),
        _ => Err(unsupported()),
    }
}

/// The one behind a handle, of a server.
///
/// # Safety
///
/// As `handle::get`.
unsafe fn channel<'a>(io: *const hvloop_io) -> Outcome<&'a WebSocketChannel> {
    // SAFETY: the caller's word.
    match unsafe { ws(io)? } {
        Ws::Server(channel) => Ok(channel),
        Ws::Client(_) => Err(unsupported()),
    }
}

/// A message of C's: `opcode` 1 is a text, 2 are bytes.
///
/// # Errors
///
/// It is neither, or no text in UTF-8.
///
/// # Safety
///
/// There are so many bytes, which stay what they are while the result is used.
pub(super) unsafe fn message<'a>(
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> Outcome<Message<'a>> {
    // SAFETY: the caller's word.
    let bytes = unsafe { bytes(data, size)? };
    match opcode {
        1 => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(Failure::argument("the text is not in UTF-8")),
        },
        2 => Ok(Message::Binary(bytes)),
        _ => Err(Failure::argument(format!(
            "{opcode} is no opcode of a message: 1 is a text, 2 are bytes"
        ))),
    }
}

/// How many, for C.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A code of a Close, as C has it.
///
/// # Errors
///
/// It has more than 16 bits.
pub(super) fn close_code(code: c_int) -> Outcome<u16> {
    u16::try_from(code).map_err(|_| Failure::argument(format!("{code} is no close code")))
}

/// A reason of C's; NULL: none.
///
/// # Safety
///
/// NULL, or a text that ends with a NUL and stays what it is while the result is used.
pub(super) unsafe fn reason<'a>(reason: *const c_char) -> Outcome<&'a str> {
    match reason.is_null() {
        true => Ok(""),
        // SAFETY: the caller's word.
        false => unsafe { text(reason) },
    }
}

/// Sends a message, which is copied: a text in UTF-8 (`opcode` 1) or bytes (2); whole, or not at all. How many bytes
/// it has, or a negative `hvloop_error`: it is not open, or the queue has no room for it (`HVLOOP_ERROR_FULL`;
/// `on_drain` tells when to try again).
///
/// # Safety
///
/// A WebSocket's handle; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_send(
    io: *const hvloop_io,
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let ws = unsafe { ws(io)? };
        // SAFETY: the caller's word.
        let message = unsafe { message(opcode, data, size)? };
        match ws {
            Ws::Server(channel) => channel.send(message)?,
            Ws::Client(connection) => connection.send(message)?,
        }
        Ok(number(size))
    })
}

/// Sends a Ping without a payload. Pings of the peer are answered, and watched for, by themselves. 0 or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A WebSocket's handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_ping(io: *const hvloop_io) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        match unsafe { ws(io)? } {
            Ws::Server(channel) => channel.ping(b"")?,
            Ws::Client(connection) => connection.ping(b"")?,
        }
        Ok(())
    })
}

/// Closes: sends a Close with that code and reason (NULL: none; cut to 123 bytes) behind what is queued, waits for
/// the peer's, and closes the socket; `on_close` tells when that is done. A client that connects again does so
/// after it: `hvloop_ws_client_close` ends that, too. 0 or a negative `hvloop_error`: no program may send this
/// code.
///
/// # Safety
///
/// A WebSocket's handle; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_close(
    io: *const hvloop_io,
    code: c_int,
    reason: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let reason = unsafe { self::reason(reason)? };
        let code = close_code(code)?;
        // SAFETY: the caller's word.
        match unsafe { ws(io)? } {
            Ws::Server(channel) => channel.close(code, reason)?,
            Ws::Client(connection) => connection.close(code, reason)?,
        }
        Ok(())
    })
}

/// Where it is: a `hvloop_ws_state`, which is open, closing or closed; or a negative `hvloop_error`.
///
/// # Safety
///
/// A WebSocket's handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_state_of(io: *const hvloop_io) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let state = match unsafe { ws(io)? } {
            Ws::Server(channel) => channel.state(),
            Ws::Client(connection) => connection.state(),
        };
        Ok(match state {
            ChannelState::Open => hvloop_ws_state::Open,
            ChannelState::Closing => hvloop_ws_state::Closing,
            _ => hvloop_ws_state::Closed,
        } as c_int)
    })
}

/// Writes the subprotocol that a server's connection has, with a NUL behind it: as much of it as there is room. How
/// long all of it is; 0: none; or a negative `hvloop_error`: it is a client's, whose answer has it.
///
/// # Safety
///
/// A WebSocket's handle; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_subprotocol(
    io: *const hvloop_io,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let channel = unsafe { channel(io)? };
        let name = channel.subprotocol().unwrap_or_default();
        // SAFETY: the caller's word.
        unsafe { put_text(name.as_bytes(), buffer, size) }
    })
}

/// Subscribes a server's connection to a topic: it gets what is published there from now on. Again is as good as
/// once. 0 or a negative `hvloop_error`: it is closing, has ended, or is a client's.
///
/// # Safety
///
/// A WebSocket's handle, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_subscribe(io: *const hvloop_io, topic: *const c_char) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let topic = unsafe { text(topic)? };
        // SAFETY: the caller's word.
        match unsafe { channel(io)? }.subscribe(topic) {
            true => Ok(()),
            false => Err(Failure::new(hvloop_error::NotOpen, "it is not open")),
        }
    })
}

/// Ends a subscription. 0 or a negative `hvloop_error`: there was none.
///
/// # Safety
///
/// A WebSocket's handle, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_unsubscribe(
    io: *const hvloop_io,
    topic: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let topic = unsafe { text(topic)? };
        // SAFETY: the caller's word.
        match unsafe { channel(io)? }.unsubscribe(topic) {
            true => Ok(()),
            false => Err(Failure::new(
                hvloop_error::NotFound,
                "it was not subscribed",
            )),
        }
    })
}

/// Sends a message to all connections of the server that are subscribed to a topic, but this one. To how many, or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A WebSocket's handle, a text that ends with a NUL, and so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_publish(
    io: *const hvloop_io,
    topic: *const c_char,
    opcode: c_int,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let channel = unsafe { channel(io)? };
        // SAFETY: the caller's word.
        let topic = unsafe { text(topic)? };
        // SAFETY: the caller's word.
        Ok(number(match unsafe { message(opcode, data, size)? } {
            Message::Text(text) => channel.publish_text(topic, text),
            Message::Binary(bytes) => channel.publish_binary(topic, bytes),
        }))
    })
}
