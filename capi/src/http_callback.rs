//! What answers HTTP requests.

use crate::error::Outcome;
use crate::ffi::callback::Callback;
use crate::ffi::handle;
use crate::ffi::handle::Object;
use crate::http_request::{self, hvloop_http_request};
use crate::http_response::{self, hvloop_http_response};
use hvloop::ws::handshake::HttpRequest;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// What is called of a `hvloop_http_callback`.
type Call = unsafe extern "C" fn(
    data: *mut c_void,
    request: *const hvloop_http_request,
    answer: *mut hvloop_http_response,
) -> c_int;

/// What answers requests: `call(data, request, answer)` on a loop's thread, of several loops at a time. Both are
/// valid for the time of the call, in which `answer` is filled in. `drop(data)`, unless it is NULL, comes exactly
/// once, after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_http_callback {
    /// What is called; what it returns means what the function says that gets this. Not NULL.
    pub call: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            request: *const hvloop_http_request,
            answer: *mut hvloop_http_response,
        ) -> c_int,
    >,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

/// See [`hvloop_http_callback`].
pub(crate) struct HttpCallback(Callback<Call>);

impl HttpCallback {
    /// # Errors
    ///
    /// It is NULL. The data were given up.
    pub(crate) fn new(callback: hvloop_http_callback) -> Outcome<Arc<Self>> {
        let callback = Callback::new(callback.call, callback.drop, callback.data)?;
        Ok(Arc::new(Self(callback)))
    }

    /// Asks C, with an answer of that status to fill in: what it returns, and the answer.
    pub(crate) fn ask(
        &self,
        request: &HttpRequest,
        status: u16,
    ) -> (c_int, Arc<Object<hvloop_http_response>>) {
        let request = http_request::show(request);
        let answer = http_response::empty(status);
        let (f, data) = (self.0.function(), self.0.data());
        // SAFETY: what is called, and with what, is C's own; both outlive the call.
        let said = unsafe { f(data, handle::lend(&request), handle::lend(&answer)) };
        (said, answer)
    }
}
