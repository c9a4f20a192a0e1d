//! What all kinds of handles have.

use super::{Connection, hvloop_io, io, lock};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{self, hvloop_loop};
use crate::ffi::address::{address_text, put_address, put_text};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Data;
use crate::ffi::handle;
use hvloop::Address;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One more count of a handle, which is returned. NULL if it is none.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_retain(io: *mut hvloop_io) -> *mut hvloop_io {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::share(io).map(handle::give) })
}

/// Gives a count of a handle back. NULL is allowed. What is open stays open.
///
/// # Safety
///
/// NULL, or a handle; the count is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_release(io: *mut hvloop_io) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(io).map(drop) })
}

/// What it is: a `hvloop_io_kind`, or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_kind_of(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::io(io) }.map(|io| io.what().connection().kind() as c_int))
}

/// Its number, which no other one of the process has. 0 if it is none.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_id(io: *const hvloop_io) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::io(io) }.map(|io| io.id()))
}

/// The number of its descriptor, also after its end, when others may have it: for logs, and in callbacks for
/// options of the socket. It is the library's: not to be read, written or closed. Or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_fd(io: *const hvloop_io) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        match unsafe { self::io(io)? }.fd {
            ..0 => Err(Failure::new(hvloop_error::NotFound, "it has no descriptor")),
            fd => Ok(fd),
        }
    })
}

/// The loop that it is on, with one count for the caller. NULL if it is on none.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_loop(io: *const hvloop_io) -> *mut hvloop_loop {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { connection(io)? }.event_loop();
        let none = || Failure::new(hvloop_error::NotFound, "it is on no loop");
        Ok(event_loop::give(&event_loop.ok_or_else(none)?))
    })
}

/// 1: it is open; 0: it has ended, or is about to; or a negative `hvloop_error`. On another thread than the
/// loop's it may end at any moment.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_is_open(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    boundary(|| unsafe { connection(io) }.map(|connection| c_int::from(connection.is_open())))
}

/// Why it ended, as a number of the system's (`errno.h`): 0 if in order, or not yet. Or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_error(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::io(io) }.map(|io| io.error.load(Ordering::Relaxed)))
}

/// Writes the peer's address, also after the end, to a `struct sockaddr_storage`: of IPv4, IPv6 or a Unix socket.
/// `length` says how much room there is, and gets what is used. Of a datagram socket without a peer: who spoke
/// last. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle; so many bytes, and their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_peer(
    io: *const hvloop_io,
    address: *mut c_void,
    length: *mut u32,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let peer = some_address(unsafe { connection(io)? }.peer())?;
        // SAFETY: the caller's word.
        unsafe { put_address(&peer, address, length) }
    })
}

/// Writes this side's address, as `hvloop_io_peer` does the peer's.
///
/// # Safety
///
/// As `hvloop_io_peer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_local(
    io: *const hvloop_io,
    address: *mut c_void,
    length: *mut u32,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let local = some_address(unsafe { connection(io)? }.local())?;
        // SAFETY: the caller's word.
        unsafe { put_address(&local, address, length) }
    })
}

/// Writes the peer's address as text, such as `127.0.0.1:80`, `[::1]:80` or a path, with a NUL behind it: as much
/// of it as there is room. How long all of it is, or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_peer_text(
    io: *const hvloop_io,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let peer = some_address(unsafe { connection(io)? }.peer())?;
        // SAFETY: the caller's word.
        unsafe { put_text(&address_text(&peer), buffer, size) }
    })
}

/// Writes this side's address as text, as `hvloop_io_peer_text` does the peer's.
///
/// # Safety
///
/// As `hvloop_io_peer_text`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_local_text(
    io: *const hvloop_io,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let local = some_address(unsafe { connection(io)? }.local())?;
        // SAFETY: the caller's word.
        unsafe { put_text(&address_text(&local), buffer, size) }
    })
}

/// How many bytes were accepted for sending that the system has not taken yet, or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_buffered(io: *const hvloop_io) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let buffered = unsafe { connection(io)? }.buffered();
        Ok(i64::try_from(buffered).unwrap_or(i64::MAX))
    })
}

/// Ends it in order: what was accepted is sent first. Never runs a callback in this call; any number of times. 0 or
/// a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_close(io: *const hvloop_io) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let io = unsafe { self::io(io)? };
        io.closing.store(true, Ordering::Release);
        io.what().connection().close();
        Ok(())
    })
}

/// Ends it at the end of this turn, without sending what was accepted. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_close_now(io: *const hvloop_io) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let io = unsafe { self::io(io)? };
        io.closing.store(true, Ordering::Release);
        io.what().connection().close_now();
        Ok(())
    })
}

/// Reads no further for now, so that the peer is held back. What was read already still comes, but for packages.
/// 0 or a negative `hvloop_error`: of streams and WebSockets alone.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_pause_reading(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { connection(io)? }.pause_reading())
}

/// Reads again, all that comes. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_resume_reading(io: *const hvloop_io) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { connection(io)? }.resume_reading())
}

/// Keeps a pointer with it, for `hvloop_io_binding`; `drop`, if it is not NULL, is called with the one that it
/// replaces, and with this one when the last callback of the connection has returned, or with the handle, at the
/// latest: on the loop's thread, or on that of who gives the last count back. 0 or a negative `hvloop_error`;
/// `drop` was called then.
///
/// # Safety
///
/// A handle; `drop` may be called with `data` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_binding(
    io: *const hvloop_io,
    data: *mut c_void,
    drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
) -> c_int {
    status(|| {
        let data = Arc::new(Data::new(data, drop));
        // SAFETY: the caller's word.
        let io = unsafe { self::io(io)? };
        let before = lock(&io.binding).replace(data);
        // With nothing locked.
        std::mem::drop(before);
        Ok(())
    })
}

/// The pointer that was kept with it; NULL: none, or no more. It is valid for as long as nobody replaces it, and
/// the connection has not ended.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_binding(io: *const hvloop_io) -> *mut c_void {
    boundary(|| {
        // SAFETY: the caller's word.
        let binding = lock(&unsafe { self::io(io)? }.binding);
        Ok(binding
            .as_ref()
            .map_or(std::ptr::null_mut(), |data| data.as_ptr()))
    })
}

/// What all kinds have, of the handle behind a pointer.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn connection<'a>(io: *const hvloop_io) -> Outcome<&'a dyn Connection> {
    // SAFETY: the caller's word.
    unsafe { self::io(io) }.map(|io| io.what().connection())
}

fn some_address(address: Option<Address>) -> Outcome<Address> {
    address.ok_or_else(|| Failure::new(hvloop_error::NotFound, "it has no such address"))
}
