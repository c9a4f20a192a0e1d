//! Datagrams over UDP.

mod socket;

use self::socket::{Sockets, UdpCallbacks};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::text;
use crate::io::{hvloop_io, lock};
use hvloop::event::Interface;
use hvloop::{EventLoop, UdpChannel};
use std::ffi::{c_char, c_int, c_void};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// A UDP socket: with one peer, or at an address where anybody may send to. Each function may be called on any
/// thread, also in its own callbacks.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_udp {
    _private: (),
}

impl Opaque for hvloop_udp {
    type Body = UdpBody;
    const KIND: usize = 13;
}

/// See [`hvloop_udp`].
pub(crate) struct UdpBody {
    event_loop: EventLoop,
    callbacks: Arc<UdpCallbacks>,
    sockets: Mutex<Sockets>,
}

/// What is called of a UDP socket, on its loop's thread; each may be NULL. `io` is the socket's one handle, valid
/// for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
/// after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_udp_callbacks {
    /// A datagram came, from a `struct sockaddr` of so many bytes.
    pub on_message: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            bytes: *const c_void,
            size: usize,
            address: *const c_void,
            length: u32,
        ),
    >,
    /// All that had to wait has been sent: so many bytes since the last time.
    pub on_write_complete:
        Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io, size: usize)>,
    /// What the system said against a datagram, such as that nobody listens at the peer's port, or against joining a
    /// group; the socket goes on. `error` is a number of the system's (`errno.h`), `reason` says it in words.
    pub on_error: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            error: c_int,
            reason: *const c_char,
        ),
    >,
    /// It is closed: exactly once for each `hvloop_udp_start` that was accepted, as its last callback. `error` is 0
    /// if it ended in order. `io` is not NULL.
    pub on_close: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            error: c_int,
            reason: *const c_char,
        ),
    >,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What all are called with.
    pub data: *mut c_void,
}

/// The socket behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn body<'a>(udp: *const hvloop_udp) -> Outcome<&'a UdpBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(udp) }.map(|object| &object.body)
}

/// A UDP socket for that loop, which need not run yet. NULL if it fails.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_new(event_loop: *const hvloop_loop) -> *mut hvloop_udp {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(handle::give(Object::new(UdpBody {
            event_loop: event_loop.clone(),
            callbacks: Arc::new(UdpCallbacks::new(Gate::default())),
            sockets: Mutex::default(),
        })))
    })
}

/// Frees it: the socket closes, and none of its callbacks runs any more, nor will. Waits for one that runs on
/// another thread; inside of one it does not wait. NULL is allowed.
///
/// # Safety
///
/// NULL, or a UDP socket that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_free(udp: *mut hvloop_udp) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(udp)? } {
            object.body.callbacks.shut();
            object.body.close();
            object.body.callbacks.wait();
        }
        Ok(())
    });
}

/// As `hvloop_udp_free`, but does not wait: a callback that runs on another thread may go on for a while, and then
/// its data are dropped.
///
/// # Safety
///
/// As `hvloop_udp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_free_nowait(udp: *mut hvloop_udp) {
    boundary(|| {
        // SAFETY: the caller's word.
        if let Some(object) = unsafe { handle::take(udp)? } {
            object.body.callbacks.shut();
            object.body.close();
            object.body.callbacks.give_up();
        }
        Ok(())
    });
}

/// Sets what is called, from now on. 0 or a negative `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A UDP socket; the callbacks may be called on its loop's thread, and dropped on any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_set_callbacks(
    udp: *const hvloop_udp,
    callbacks: hvloop_udp_callbacks,
) -> c_int {
    status(|| {
        let callbacks = UdpCallbacks::take(callbacks);
        // SAFETY: the caller's word.
        unsafe { body(udp)? }.callbacks.set(callbacks);
        Ok(())
    })
}

/// Makes a socket at that address, whose descriptor is returned: what is sent there waits in the system until
/// `hvloop_udp_start`. `host` is an IP address or a name, of which an address is taken, of IPv4 if it has one; NULL:
/// all addresses of IPv4. Port 0: any. A socket that was made before and not started is closed. Or a negative
/// `hvloop_error`, usually that the address is in use.
///
/// # Safety
///
/// A UDP socket; NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_bind(
    udp: *const hvloop_udp,
    host: *const c_char,
    port: c_int,
) -> c_int {
    boundary(|| {
        let host = match host.is_null() {
            true => "0.0.0.0",
            // SAFETY: the caller's word.
            false => unsafe { text(host)? },
        };
        // SAFETY: the caller's word.
        unsafe { body(udp)? }.bind(host, port)
    })
}

/// Makes a socket with that one peer, whose descriptor is returned: it sends there, and hears that one alone. After
/// `hvloop_udp_bind` and before `hvloop_udp_start` it keeps the address of that. `host` as there, but not NULL. Or
/// a negative `hvloop_error`.
///
/// # Safety
///
/// A UDP socket, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_connect(
    udp: *const hvloop_udp,
    host: *const c_char,
    port: c_int,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let host = unsafe { text(host)? };
        // SAFETY: the caller's word.
        unsafe { body(udp)? }.connect(host, port)
    })
}

/// Gives the socket that was made to the loop: datagrams come from now on, once the loop runs, and
/// `hvloop_udp_io` has it. One that was started before goes on to its end by itself. 0 or a negative
/// `hvloop_error`: no socket was made (`HVLOOP_ERROR_STATE`), or the loop takes no more.
///
/// # Safety
///
/// A UDP socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_start(udp: *const hvloop_udp) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { body(udp)? }.start())
}

/// Closes the socket when all that was accepted is sent. Never runs a callback in this call.
/// `hvloop_udp_bind` or `hvloop_udp_connect`, and `hvloop_udp_start` may follow. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A UDP socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_close(udp: *const hvloop_udp) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { body(udp)? }.close();
        Ok(())
    })
}

/// The socket that was started, with one count for the caller. NULL: there is none now.
///
/// # Safety
///
/// A UDP socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_io(udp: *const hvloop_udp) -> *mut hvloop_io {
    boundary(|| {
        // SAFETY: the caller's word.
        let io = unsafe { body(udp)? }.io();
        let none = || Failure::new(hvloop_error::NotFound, "no socket is open");
        Ok(handle::give(io.ok_or_else(none)?))
    })
}

/// The port of the socket that was made last, as port 0 became it, or a negative `hvloop_error`: there was none.
///
/// # Safety
///
/// A UDP socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_port(udp: *const hvloop_udp) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let port = lock(&unsafe { body(udp)? }.sockets).port;
        port.ok_or_else(|| Failure::new(hvloop_error::NotFound, "no socket was made"))
    })
}

/// Hears what is sent to a multicast group, once started. `on` is the interface: of IPv4 its address, of IPv6 its
/// number as text; NULL: the one that the system chooses. What the system says against it comes to `on_error`. 0 or
/// a negative `hvloop_error`.
///
/// # Safety
///
/// A UDP socket, and a text that ends with a NUL; NULL, or another one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_join_group(
    udp: *const hvloop_udp,
    group: *const c_char,
    on: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let (group, on) = unsafe { group_on(group, on)? };
        // SAFETY: the caller's word.
        let channel = unsafe { channel(udp)? };
        Ok(channel.join_multicast(group, on)?)
    })
}

/// Hears a multicast group no more. As `hvloop_udp_join_group`.
///
/// # Safety
///
/// As `hvloop_udp_join_group`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_leave_group(
    udp: *const hvloop_udp,
    group: *const c_char,
    on: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let (group, on) = unsafe { group_on(group, on)? };
        // SAFETY: the caller's word.
        let channel = unsafe { channel(udp)? };
        Ok(channel.leave_multicast(group, on)?)
    })
}

/// Whether sockets that are made from now on may send to broadcast addresses. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A UDP socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_udp_set_broadcast(udp: *const hvloop_udp, on: c_int) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        lock(&unsafe { body(udp)? }.sockets).broadcast = on != 0;
        Ok(())
    })
}

/// The socket that is open.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn channel(udp: *const hvloop_udp) -> Outcome<UdpChannel> {
    // SAFETY: the caller's word.
    let io = unsafe { body(udp)? }.io();
    let closed = || Failure::new(hvloop_error::NotOpen, "the socket is not started");
    Ok(io.ok_or_else(closed)?.body.datagram()?.channel()?.clone())
}

/// # Safety
///
/// A text that ends with a NUL; NULL, or another one.
unsafe fn group_on(group: *const c_char, on: *const c_char) -> Outcome<(IpAddr, Interface)> {
    let no = |what: &str| Failure::argument(format!("{what} is no IP address, or of no interface"));
    // SAFETY: the caller's word.
    let group = unsafe { text(group)? };
    let group: IpAddr = group.parse().map_err(|_| no(group))?;
    if on.is_null() {
        return Ok((group, Interface::Any));
    }
    // SAFETY: the caller's word.
    let on = unsafe { text(on)? };
    let interface = match group {
        IpAddr::V4(_) => on.parse().map(Interface::Address).map_err(drop),
        IpAddr::V6(_) => on.parse().map(Interface::Index).map_err(drop),
    };
    Ok((group, interface.map_err(|()| no(on))?))
}
