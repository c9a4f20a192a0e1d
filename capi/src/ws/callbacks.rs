//! What is called of a WebSocket.

use super::failure::errno;
use crate::ffi::callback::{Data, DropData};
use crate::ffi::handle;
use crate::http_request::hvloop_http_request;
use crate::http_response::hvloop_http_response;
use crate::io::end::c_text;
use crate::io::{Io, hvloop_io};
use hvloop::{CloseEvent, Message};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// What is called of a WebSocket, on its loop's thread; each may be NULL. `io` is the connection's one handle, valid
/// for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
/// after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_ws_callbacks {
    /// Messages go both ways. Of a server `request` is what the client asked with, of a client `response` what the
    /// server answered; the other one is NULL.
    pub on_open: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            request: *const hvloop_http_request,
            response: *const hvloop_http_response,
        ),
    >,
    /// A message, whole: a text in UTF-8, without a NUL behind it (`opcode` 1), or bytes (2).
    pub on_message: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            opcode: c_int,
            bytes: *const c_void,
            size: usize,
        ),
    >,
    /// The send queue, having been over half of its limit or having refused a message, has room again.
    pub on_drain: Option<unsafe extern "C" fn(data: *mut c_void, io: *mut hvloop_io)>,
    /// It has ended: exactly once for each attempt of a client, and for each connection of a server that was open,
    /// as its last callback. `io` is NULL if it never was open. `code` and `reason` are those of the peer's Close:
    /// 1005 if that had none, 1006 if there was no Close. `error` is a number of the system's (`errno.h`), 0 if it
    /// ended in order; `text` says it in words.
    pub on_close: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            io: *mut hvloop_io,
            code: c_int,
            reason: *const c_char,
            error: c_int,
            text: *const c_char,
        ),
    >,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What all are called with.
    pub data: *mut c_void,
}

/// See [`hvloop_ws_callbacks`].
pub(super) struct WsCallbacks {
    functions: hvloop_ws_callbacks,
    data: Data,
}

// SAFETY: the pointer in `functions` is not used, but that of `data`, which has the same rule.
unsafe impl Send for WsCallbacks {}
// SAFETY: as above; functions may be called on any thread.
unsafe impl Sync for WsCallbacks {}

impl WsCallbacks {
    pub(super) fn new(functions: hvloop_ws_callbacks) -> Arc<Self> {
        let drop: Option<DropData> = functions.drop;
        let data = Data::new(functions.data, drop);
        Arc::new(Self { functions, data })
    }

    /// It is open; one of the two is NULL.
    pub(super) fn on_open(
        &self,
        io: &Arc<Io>,
        request: *const hvloop_http_request,
        response: *const hvloop_http_response,
    ) {
        if let Some(f) = self.functions.on_open {
            // SAFETY: what is called, and with what, is C's own; on the loop's thread.
            unsafe { f(self.data.as_ptr(), handle::lend(io), request, response) }
        }
    }

    /// A message came.
    pub(super) fn on_message(&self, io: &Arc<Io>, message: Message<'_>) {
        if let Some(f) = self.functions.on_message {
            let opcode = match message {
                Message::Text(_) => 1,
                Message::Binary(_) => 2,
            };
            let bytes = message.as_bytes();
            let (start, size) = (bytes.as_ptr().cast(), bytes.len());
            // SAFETY: as above; so many bytes are there.
            unsafe { f(self.data.as_ptr(), handle::lend(io), opcode, start, size) }
        }
    }

    /// There is room again.
    pub(super) fn on_drain(&self, io: &Arc<Io>) {
        if let Some(f) = self.functions.on_drain {
            // SAFETY: as above.
            unsafe { f(self.data.as_ptr(), handle::lend(io)) }
        }
    }

    /// It has ended.
    pub(super) fn on_close(&self, io: Option<&Arc<Io>>, event: &CloseEvent) {
        let text = match &event.error {
            Some(error) => error.to_string(),
            None => event.to_string(),
        };
        self.on_end(io, event.code, &event.reason, errno(event), &text);
    }

    /// It has ended, with these words.
    pub(super) fn on_end(
        &self,
        io: Option<&Arc<Io>>,
        code: u16,
        reason: &str,
        error: c_int,
        text: &str,
    ) {
        if let Some(f) = self.functions.on_close {
            let io = io.map_or(ptr::null_mut(), handle::lend);
            let (reason, text) = (c_text(reason), c_text(text));
            let (reason, text) = (reason.as_ptr(), text.as_ptr());
            // SAFETY: as above; both texts outlive the call.
            unsafe { f(self.data.as_ptr(), io, code.into(), reason, error, text) }
        }
    }
}
