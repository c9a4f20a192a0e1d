//! Descriptors of the user's.

use super::{Connection, Io, IoBody, What, hvloop_io, hvloop_io_kind, io, unsupported};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Callback;
use crate::ffi::handle;
use hvloop::{Address, EventLoop, Interest, IoHandle, LocalLoop};
use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

/// There is something to read, or the end; to be looked for, or found.
pub const HVLOOP_READABLE: c_int = 1;
/// There is room to write; to be looked for, or found.
pub const HVLOOP_WRITABLE: c_int = 2;

/// What is called when a descriptor is ready, on the loop's thread: `call(data, io, ready)`, where `ready` has
/// `HVLOOP_READABLE`, `HVLOOP_WRITABLE` or both. `drop(data)`, unless it is NULL, comes exactly once, after the
/// last call, when the descriptor is off the loop.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_fd_callback {
    /// What is called. Not NULL.
    pub call: Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io, ready: c_int)>,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

type OnReady = unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io, ready: c_int);

/// A descriptor of the user's.
pub(crate) struct Foreign {
    event_loop: EventLoop,
    /// Once it is on the loop.
    handle: OnceLock<IoHandle>,
    /// What is to be looked for.
    interest: AtomicI32,
    open: AtomicBool,
}

impl Foreign {
    /// Takes it off the loop.
    fn take_off(&self) {
        self.open.store(false, Ordering::Release);
        if let Some(handle) = self.handle.get() {
            // Refused: it is off anyway.
            let _ = handle.close();
        }
    }

    /// Looks for something else.
    fn set_interest(&self, number: c_int) -> Outcome {
        let interest = interest(number)?;
        if !self.is_open() {
            return Err(Failure::new(hvloop_error::NotOpen, "it is off the loop"));
        }
        self.interest.store(number, Ordering::Release);
        match self.handle.get() {
            Some(handle) => Ok(handle.set_interest(interest)?),
            // On its way, it reads what is stored.
            None => Ok(()),
        }
    }
}

impl Connection for Foreign {
    fn kind(&self) -> hvloop_io_kind {
        hvloop_io_kind::Foreign
    }

    fn event_loop(&self) -> Option<EventLoop> {
        Some(self.event_loop.clone())
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    fn peer(&self) -> Option<Address> {
        None
    }

    fn local(&self) -> Option<Address> {
        None
    }

    fn buffered(&self) -> usize {
        0
    }

    fn close(&self) {
        self.take_off();
    }

    fn close_now(&self) {
        self.take_off();
    }
}

/// Marks it as off the loop, however it comes off, and gives up what C kept with it.
struct OnLoop(Arc<Io>);

impl Drop for OnLoop {
    fn drop(&mut self) {
        if let What::Foreign(foreign) = self.0.body.what() {
            foreign.open.store(false, Ordering::Release);
        }
        self.0.body.ended();
    }
}

const BOTH: c_int = HVLOOP_READABLE | HVLOOP_WRITABLE;

fn interest(number: c_int) -> Outcome<Interest> {
    match number {
        HVLOOP_READABLE => Ok(Interest::Read),
        HVLOOP_WRITABLE => Ok(Interest::Write),
        BOTH => Ok(Interest::Both),
        _ => Err(Failure::argument(format!("{number} is no interest"))),
    }
}

/// Puts it on its loop, on the loop's thread.
fn add(
    local: &LocalLoop,
    io: &Arc<Io>,
    fd: BorrowedFd<'_>,
    on_loop: OnLoop,
    callback: Callback<OnReady>,
) -> Outcome {
    let What::Foreign(foreign) = io.body.what() else {
        return Ok(());
    };
    if !foreign.is_open() {
        return Ok(()); // closed on its way
    }
    let looked_for = foreign.interest.load(Ordering::Acquire);
    let added = local.add_fd(fd, interest(looked_for)?, move |_, ready| {
        let found = match (ready.readable, ready.writable) {
            (true, true) => HVLOOP_READABLE | HVLOOP_WRITABLE,
            (true, false) => HVLOOP_READABLE,
            _ => HVLOOP_WRITABLE,
        };
        // Closed in this turn, before this: nothing more is called.
        if on_loop.0.body.what().connection().is_open() {
            let io = handle::lend(&on_loop.0);
            // SAFETY: what is called, and with what, is C's own; on the loop's thread.
            unsafe { callback.function()(callback.data(), io, found) }
        }
    })?;
    // The first time.
    let _ = foreign.handle.set(added);
    let now = foreign.interest.load(Ordering::Acquire);
    if !foreign.is_open() {
        foreign.take_off();
    } else if now != looked_for {
        foreign.set_interest(now)?;
    }
    Ok(())
}

/// Puts a descriptor on a loop: a socket of another library, a pipe, a timerfd. `interest` is what to look for:
/// `HVLOOP_READABLE`, `HVLOOP_WRITABLE` or both. It is told once each time that the descriptor becomes ready: read,
/// or write, until the system says `EAGAIN`. The descriptor stays the caller's, who may close it before or after:
/// the loop has a duplicate. A stopping loop takes it off. The handle has one count for the caller; to give it
/// back does not take the descriptor off: `hvloop_io_close` does. On the loop's thread it is there at once, from
/// another one in the loop's next turn; what the system says against it then goes to the log, and `drop` is
/// called. NULL if it fails.
///
/// # Safety
///
/// A loop; an open descriptor; the callback may be called, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_open_fd(
    event_loop: *const hvloop_loop,
    fd: c_int,
    interest: c_int,
    callback: hvloop_fd_callback,
) -> *mut hvloop_io {
    boundary(|| {
        let callback = Callback::new(callback.call, callback.drop, callback.data)?;
        self::interest(interest)?;
        if fd < 0 {
            return Err(Failure::argument(format!("{fd} is no descriptor")));
        }
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let foreign = Foreign {
            event_loop: event_loop.clone(),
            handle: OnceLock::new(),
            interest: AtomicI32::new(interest),
            open: AtomicBool::new(true),
        };
        let io = IoBody::create(What::Foreign(foreign), 0, Some(fd), None);
        let on_loop = OnLoop(io.clone());
        // SAFETY: not negative, and open by the caller's word.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        match event_loop.local() {
            Some(local) => add(&local, &io, fd, on_loop, callback)?,
            None => {
                // The caller may close it meanwhile.
                let (fd, io) = (fd.try_clone_to_owned()?, io.clone());
                event_loop.with_local(move |local| {
                    if let Err(e) = add(local, &io, fd.as_fd(), on_loop, callback) {
                        log::error!("hvloop: a descriptor is not on its loop: {}", e.text);
                    }
                })?;
            }
        }
        Ok(handle::give(io))
    })
}

/// Looks for something else on a descriptor of the user's from now on; readiness that holds already is told again.
/// 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_set_interest(io: *const hvloop_io, interest: c_int) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        match unsafe { self::io(io)? }.what() {
            What::Foreign(foreign) => foreign.set_interest(interest),
            _ => Err(unsupported()),
        }
    })
}
