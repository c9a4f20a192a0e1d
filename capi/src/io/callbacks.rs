//! What is called of streams.

use super::end::{c_text, errno};
use super::open::Open;
use super::{Io, IoBody, hvloop_io, lock};
use crate::ffi::callback::Data;
use crate::ffi::gate::Gate;
use crate::ffi::handle;
use hvloop::{Channel, CloseReason};
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex};

/// What is called of a stream, on its loop's thread; each may be NULL. `io` is the connection's one handle, valid
/// for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
/// after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_io_callbacks {
    /// The connection is up, TLS included.
    pub on_open: Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io)>,
    /// Bytes came, or a package. They are the callback's for its time, also to be changed.
    pub on_message: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            bytes: *const c_void,
            size: usize,
        ),
    >,
    /// All that was accepted for sending has been sent: so many bytes since the last time.
    pub on_write_complete:
        Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io, size: usize)>,
    /// It has ended: exactly once for each attempt of a client, and for each connection of a server that came up,
    /// as its last callback. `io` is NULL if it never came up. `error` is a number of the system's (`errno.h`), 0
    /// if it ended in order; `reason` says it in words.
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

/// See [`hvloop_io_callbacks`].
pub(crate) struct IoCallbacks {
    functions: hvloop_io_callbacks,
    data: Data,
}

// SAFETY: the pointer in `functions` is not used, but that of `data`, which has the same rule.
unsafe impl Send for IoCallbacks {}
// SAFETY: as above; functions may be called on any thread.
unsafe impl Sync for IoCallbacks {}

impl IoCallbacks {
    pub(crate) fn new(functions: hvloop_io_callbacks) -> Arc<Self> {
        let data = Data::new(functions.data, functions.drop);
        Arc::new(Self { functions, data })
    }
}

/// What a client or a server of streams has for all of its connections: their handles, what is called, and the
/// gate that ends it.
pub(crate) struct Streams {
    gate: Arc<Gate>,
    callbacks: Mutex<Option<Arc<IoCallbacks>>>,
    pub(crate) open: Open,
}

impl Streams {
    pub(crate) fn new(gate: Gate) -> Self {
        Self {
            gate: Arc::new(gate),
            callbacks: Mutex::default(),
            open: Open::default(),
        }
    }

    /// From now on these are called; what was there before is given up when its last call has returned.
    pub(crate) fn set_callbacks(&self, callbacks: Arc<IoCallbacks>) {
        let before = lock(&self.callbacks).replace(callbacks);
        // With nothing locked.
        drop(before);
    }

    /// Nothing is called any more.
    pub(crate) fn shut(&self) {
        self.gate.shut();
    }

    /// After [`shut`](Self::shut): waits for calls that run, unless this is one, and gives up what C gave to
    /// be called.
    pub(crate) fn wait(&self) {
        self.gate.wait();
        self.give_up();
    }

    /// Gives up what C gave to be called.
    pub(crate) fn give_up(&self) {
        let callbacks = lock(&self.callbacks).take();
        drop(callbacks);
        for io in self.open.all() {
            drop(io.body.set_own(None));
        }
    }

    /// Calls something of C's.
    fn call(&self, io: Option<&Arc<Io>>, f: impl FnOnce(&IoCallbacks, *mut hvloop_io)) {
        self.gate.enter(|| {
            let own = io.and_then(|io| io.body.own());
            let callbacks = own.or_else(|| lock(&self.callbacks).clone());
            if let Some(callbacks) = callbacks {
                f(&callbacks, io.map_or(std::ptr::null_mut(), handle::lend));
            }
        });
    }

    /// A connection is up.
    pub(crate) fn on_open(&self, channel: &Channel) {
        let io = IoBody::of_new_stream(channel, &self.gate);
        self.open.enter(&io);
        self.call(Some(&io), |callbacks, io| {
            if let Some(f) = callbacks.functions.on_open {
                // SAFETY: what is called, and with what, is C's own; on the loop's thread.
                unsafe { f(callbacks.data.as_ptr(), io) }
            }
        });
    }

    /// Bytes came.
    pub(crate) fn on_message(&self, channel: &Channel, bytes: &mut [u8]) {
        let Some(io) = IoBody::of_stream(channel) else {
            return;
        };
        self.call(Some(&io), |callbacks, io| {
            if let Some(f) = callbacks.functions.on_message {
                let (start, size) = (bytes.as_mut_ptr().cast_const().cast(), bytes.len());
                // SAFETY: as above; so many bytes are there.
                unsafe { f(callbacks.data.as_ptr(), io, start, size) }
            }
        });
    }

    /// All is sent.
    pub(crate) fn on_write_complete(&self, channel: &Channel, size: usize) {
        let Some(io) = IoBody::of_stream(channel) else {
            return;
        };
        self.call(Some(&io), |callbacks, io| {
            if let Some(f) = callbacks.functions.on_write_complete {
                // SAFETY: as above.
                unsafe { f(callbacks.data.as_ptr(), io, size) }
            }
        });
    }

    /// A connection, or an attempt, has ended.
    pub(crate) fn on_close(&self, channel: Option<&Channel>, reason: &CloseReason) {
        let io = channel.and_then(|channel| self.open.leave(channel.id().raw()));
        self.tell_close(io.as_ref(), errno(reason), &reason.to_string());
        if let Some(io) = io {
            io.body.ended();
        }
    }

    /// The one `on_close` of what has ended.
    pub(crate) fn tell_close(&self, io: Option<&Arc<Io>>, error: c_int, reason: &str) {
        if let Some(io) = io {
            io.body.failed(error);
        }
        let reason = c_text(reason);
        self.call(io, |callbacks, io| {
            if let Some(f) = callbacks.functions.on_close {
                // SAFETY: as above.
                unsafe { f(callbacks.data.as_ptr(), io, error, reason.as_ptr()) }
            }
        });
    }
}
