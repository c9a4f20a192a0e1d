//! Streams: what they alone have.

use super::callbacks::{IoCallbacks, hvloop_io_callbacks};
use super::unpack::{self, hvloop_unpack};
use super::{Connection, What, hvloop_io, hvloop_io_kind, io, unsupported};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::address::put_text;
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Data;
use crate::ffi::handle;
use crate::ffi::text::{bytes, millis};
use crate::task::hvloop_task;
use hvloop::event::tls::TlsVersion;
use hvloop::{Address, Channel, EventLoop};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

impl Connection for Channel {
    fn kind(&self) -> hvloop_io_kind {
        hvloop_io_kind::Stream
    }

    fn event_loop(&self) -> Option<EventLoop> {
        Some(Self::event_loop(self).clone())
    }

    fn is_open(&self) -> bool {
        self.is_connected()
    }

    fn peer(&self) -> Option<Address> {
        Self::peer(self).cloned()
    }

    fn local(&self) -> Option<Address> {
        self.local_address().cloned()
    }

    fn buffered(&self) -> usize {
        self.buffered_amount()
    }

    fn close(&self) {
        Self::close(self);
    }

    fn close_now(&self) {
        Self::close_now(self);
    }

    fn pause_reading(&self) -> Outcome {
        Self::pause_reading(self);
        Ok(())
    }

    fn resume_reading(&self) -> Outcome {
        Self::resume_reading(self);
        Ok(())
    }
}

/// The stream behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn stream<'a>(io: *const hvloop_io) -> Outcome<&'a Channel> {
    // SAFETY: the caller's word.
    unsafe { self::io(io) }?.stream()
}

/// Queues bytes for the peer, all of them or none; of a datagram socket with a peer, one datagram. On the loop's
/// thread they are written at the end of the turn. How many they are, or a negative `hvloop_error`: it is not
/// open, the queue has no room for them (`HVLOOP_ERROR_FULL`), or it is a WebSocket, which sends messages.
///
/// # Safety
///
/// A handle; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_send(
    io: *const hvloop_io,
    data: *const c_void,
    size: usize,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let data = unsafe { bytes(data, size)? };
        // SAFETY: the caller's word.
        match unsafe { self::io(io)? }.what() {
            What::Stream(channel) => channel.send(data)?,
            What::Datagram(datagram) => datagram.send(data)?,
            _ => return Err(unsupported()),
        }
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    })
}

/// Ends this side alone, behind what is queued: what the peer sends still comes, and its end ends the connection.
/// 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_shutdown(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { stream(io) }.map(Channel::shutdown))
}

/// Lets one more read come, whatever it is, and pauses after it. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_read_once(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { stream(io) }.map(Channel::read_once))
}

/// Lets all up to the next such byte come, with it, and pauses after that: `on_message` gets it whole. More than
/// 2 MiB closes the connection. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_read_until(io: *const hvloop_io, byte: u8) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { stream(io) }.map(|channel| channel.read_until(byte)))
}

/// Lets so many bytes come, and pauses after them: `on_message` gets them whole. More than 2 MiB closes the
/// connection; zero asks for nothing. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_read_bytes(io: *const hvloop_io, count: usize) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { stream(io) }.map(|channel| channel.read_bytes(count)))
}

/// `on_message` gets packages that are cut by this rule, from the first byte that it has not had; NULL: bytes as
/// they come. Bytes that break the rule end the connection. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle; NULL, or a rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_unpack(
    io: *const hvloop_io,
    unpack: *const hvloop_unpack,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let unpack = unsafe { unpack::rule(unpack)? };
        // SAFETY: the caller's word.
        unsafe { stream(io)? }.set_unpack(unpack);
        Ok(())
    })
}

/// Calls a task every so many milliseconds on the loop's thread while the connection is open, in the place of an
/// earlier one; 0 or -1: none, and the task is only dropped. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle; the task may be called, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_heartbeat(
    io: *const hvloop_io,
    period_ms: i64,
    task: hvloop_task,
) -> c_int {
    status(|| {
        // Given up however this goes.
        let data = Data::new(task.data, task.drop);
        let period = limit(period_ms)?;
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(io)? };
        let channel = object.body.stream()?;
        let (Some(period), Some(call)) = (period, task.call) else {
            if period.is_some() {
                return Err(Failure::new(hvloop_error::Null, "the task is NULL"));
            }
            channel.clear_heartbeat();
            return Ok(());
        };
        let weak = Arc::downgrade(&object);
        channel.set_heartbeat(period, move |_| {
            if let Some(io) = weak.upgrade() {
                // SAFETY: what is called, and with what, is C's own; on the loop's thread.
                io.body.enter(|| unsafe { call(data.as_ptr()) });
            }
        });
        Ok(())
    })
}

/// Closes the connection when nothing was read for so many milliseconds, counted from now; 0 or -1: no limit. 0 or
/// a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_read_timeout(io: *const hvloop_io, ms: i64) -> c_int {
    status(|| {
        let limit = limit(ms)?;
        // SAFETY: the caller's word.
        unsafe { stream(io)? }.set_read_timeout(limit);
        Ok(())
    })
}

/// Closes the connection when the peer takes nothing of what is queued for so many milliseconds; 0 or -1: never. 0
/// or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_write_timeout(io: *const hvloop_io, ms: i64) -> c_int {
    status(|| {
        let limit = limit(ms)?;
        // SAFETY: the caller's word.
        unsafe { stream(io)? }.set_write_timeout(limit);
        Ok(())
    })
}

/// Closes the connection when nothing was read or written for so many milliseconds; 0 or -1: no limit. 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_idle_timeout(io: *const hvloop_io, ms: i64) -> c_int {
    status(|| {
        let limit = limit(ms)?;
        // SAFETY: the caller's word.
        unsafe { stream(io)? }.set_idle_timeout(limit);
        Ok(())
    })
}

/// Zero is no limit, either.
fn limit(ms: i64) -> Outcome<Option<Duration>> {
    millis(ms).map(|limit| limit.filter(|limit| !limit.is_zero()))
}

/// Callbacks for this connection alone, in the place of those of its client or server, from now on. 0 or a
/// negative `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A handle; the callbacks may be called, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_callbacks(
    io: *const hvloop_io,
    callbacks: hvloop_io_callbacks,
) -> c_int {
    status(|| {
        let callbacks = IoCallbacks::new(callbacks);
        // SAFETY: the caller's word.
        let io = unsafe { self::io(io)? };
        if !io.stream()?.is_connected() {
            return Err(Failure::new(
                hvloop_error::NotOpen,
                "the connection has ended",
            ));
        }
        drop(io.set_own(Some(callbacks)));
        Ok(())
    })
}

/// Takes the connection to another loop, with its callbacks, its TLS and what is queued. If that does not take it,
/// it is closed. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle; a loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_move_to(io: *const hvloop_io, to: *const hvloop_loop) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let to = unsafe { event_loop(to)? };
        // SAFETY: the caller's word.
        unsafe { stream(io)? }.move_to(to);
        Ok(())
    })
}

/// The version of its TLS: 0x0303 is 1.2, 0x0304 is 1.3; 0: it has none. On the loop's thread, while it is open; a
/// negative `hvloop_error` elsewhere.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_tls_version(io: *const hvloop_io) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let channel = unsafe { stream(io)? };
        on_loop(channel, |conn| match conn.tls_version() {
            None => 0,
            Some(TlsVersion::Tls12) => 0x0303,
            Some(_) => 0x0304,
        })
    })
}

/// Writes the protocol that its TLS agreed on (ALPN), such as "h2", with a NUL behind it: as much of it as there is
/// room. How long all of it is; 0: none; or a negative `hvloop_error`. As `hvloop_io_tls_version`.
///
/// # Safety
///
/// A handle; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_alpn(
    io: *const hvloop_io,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let channel = unsafe { stream(io)? };
        let alpn = on_loop(channel, |conn| conn.alpn())?;
        // SAFETY: the caller's word.
        unsafe { put_text(&alpn.unwrap_or_default(), buffer, size) }
    })
}

/// Asks the connection itself, on its loop's thread.
fn on_loop<R>(
    channel: &Channel,
    f: impl FnOnce(&hvloop::event::conn::Conn<'_>) -> R,
) -> Outcome<R> {
    let local = channel.event_loop().local();
    let local =
        local.ok_or_else(|| Failure::new(hvloop_error::Thread, "this is not the loop's thread"))?;
    let conn = channel.conn(&local);
    conn.as_ref()
        .map(f)
        .ok_or_else(|| Failure::new(hvloop_error::NotOpen, "the connection has ended"))
}
