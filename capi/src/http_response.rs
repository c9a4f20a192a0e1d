//! HTTP answers, as C sees and makes them.

use crate::error::{Failure, Outcome};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{bytes, put, text};
use crate::http_fields::HttpFields;
use hvloop::ws::handshake::{Accept, HeadError, HttpResponse, UpgradeResponse};
use hvloop::ws::http::StatusCode;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An answer: one that a callback is to fill in, or that a server gave to a client's upgrade. Texts and bytes of
/// it are valid for as long as it is and nothing of it is changed. One thread at a time.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_http_response {
    _private: (),
}

/// See [`hvloop_http_response`].
pub(crate) struct HttpResponseBody(Mutex<Answer>);

struct Answer {
    status: u16,
    fields: HttpFields,
    body: Vec<u8>,
}

impl Opaque for hvloop_http_response {
    type Body = HttpResponseBody;
    const KIND: usize = 43;
}

impl HttpResponseBody {
    fn lock(&self) -> MutexGuard<'_, Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It refuses an upgrade: if it does not say how, with 403.
    pub(crate) fn refuses(&self) {
        let mut answer = self.lock();
        if answer.status < 200 {
            answer.status = 403;
        }
    }

    /// As Rust has it, to be sent.
    pub(crate) fn to_response(&self) -> Outcome<HttpResponse> {
        let answer = self.lock();
        let status = status_code(answer.status)?;
        let mut response = HttpResponse::new(status).body(answer.body.clone());
        for (name, value) in answer.fields.iter() {
            response = response.header(utf8(name)?, utf8(value)?)?;
        }
        Ok(response)
    }

    /// The acceptance of an upgrade, with these headers.
    pub(crate) fn to_accept(&self) -> Outcome<Accept> {
        let answer = self.lock();
        let mut accept = Accept::new();
        for (name, value) in answer.fields.iter() {
            let (name, value) = (utf8(name)?, utf8(value)?);
            accept = match name.eq_ignore_ascii_case(SUBPROTOCOL) {
                true => accept.subprotocol(value)?,
                false => accept.header(name, value)?,
            };
        }
        Ok(accept)
    }
}

/// The header that chooses a subprotocol.
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

fn utf8(text: &CStr) -> Outcome<&str> {
    let bad = |_| Failure::argument("the text is not in UTF-8");
    text.to_str().map_err(bad)
}

fn status_code(number: u16) -> Outcome<StatusCode> {
    let status = StatusCode::from_u16(number);
    status.map_err(|_| Failure::argument(format!("{number} is no HTTP status")))
}

impl From<HeadError> for Failure {
    fn from(error: HeadError) -> Self {
        Self::argument(error.to_string())
    }
}

/// An empty answer of that status.
pub(crate) fn empty(status: u16) -> Arc<Object<hvloop_http_response>> {
    Object::new(HttpResponseBody(Mutex::new(Answer {
        status,
        fields: HttpFields::default(),
        body: Vec::new(),
    })))
}

/// Shows what a server answered to an upgrade to C.
pub(crate) fn show(response: &UpgradeResponse) -> Arc<Object<hvloop_http_response>> {
    Object::new(HttpResponseBody(Mutex::new(Answer {
        status: response.status,
        fields: HttpFields::from_headers(&response.headers),
        body: response.body_prefix.clone(),
    })))
}

/// The answer, locked.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn answer<'a>(response: *const hvloop_http_response) -> Outcome<MutexGuard<'a, Answer>> {
    // SAFETY: the caller's word.
    unsafe { handle::get(response) }.map(|object| object.body.lock())
}

/// An answer of that status, with no headers and no body. NULL if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_http_response_new(status: c_int) -> *mut hvloop_http_response {
    boundary(|| Ok(handle::give(empty(checked(status)?))))
}

/// The status, if it is one of a whole answer: 200 to 999.
fn checked(status: c_int) -> Outcome<u16> {
    match u16::try_from(status) {
        Ok(number @ 200..=999) => Ok(number),
        _ => Err(Failure::argument(format!(
            "{status} is no status of a whole answer"
        ))),
    }
}

/// Frees an answer that `hvloop_http_response_new` or `hvloop_ws_client_response` gave. NULL is allowed.
///
/// # Safety
///
/// NULL, or such an answer, which nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_free(response: *mut hvloop_http_response) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(response).map(drop) })
}

/// The status, such as 200, or a negative `hvloop_error`.
///
/// # Safety
///
/// An answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_status(
    response: *const hvloop_http_response,
) -> c_int {
    // SAFETY: the caller's word.
    boundary(|| unsafe { answer(response) }.map(|answer| c_int::from(answer.status)))
}

/// Sets the status: 200 to 999. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// An answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_set_status(
    response: *mut hvloop_http_response,
    status: c_int,
) -> c_int {
    self::status(|| {
        let status = checked(status)?;
        // SAFETY: the caller's word.
        unsafe { answer(response)? }.status = status;
        Ok(())
    })
}

/// Adds a header; the same name may be added again. Connection, Content-Length, Transfer-Encoding and Upgrade are
/// hvloop's own; Sec-WebSocket-Protocol may be set by the callback of `hvloop_ws_service_on_upgrade` alone. 0 or a negative
/// `hvloop_error`: it is none that could be sent.
///
/// # Safety
///
/// An answer, and texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_add_header(
    response: *mut hvloop_http_response,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        // SAFETY: the caller's word.
        let text = unsafe { text(value)? };
        match name.eq_ignore_ascii_case(SUBPROTOCOL) {
            true => drop(Accept::new().subprotocol(text)?),
            false => drop(Accept::new().header(name, text)?),
        }
        // SAFETY: `text` has seen that it is a text of C's.
        let value = unsafe { CStr::from_ptr(value) };
        // SAFETY: the caller's word.
        unsafe { answer(response)? }.fields.add(name, value);
        Ok(())
    })
}

/// Sets the body, which is copied. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// An answer, and so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_set_body(
    response: *mut hvloop_http_response,
    data: *const c_void,
    size: usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let body = unsafe { bytes(data, size)? };
        // SAFETY: the caller's word.
        unsafe { answer(response)? }.body = body.to_vec();
        Ok(())
    })
}

/// The body, and in `size`, if that is not NULL, how long it is; of the answer to an upgrade the beginning. NULL
/// if it is no answer.
///
/// # Safety
///
/// An answer; NULL, or a place for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_body(
    response: *const hvloop_http_response,
    size: *mut usize,
) -> *const c_void {
    boundary(|| {
        // SAFETY: the caller's word.
        let answer = unsafe { answer(response)? };
        // SAFETY: the caller's word.
        unsafe { put(size, answer.body.len()) };
        Ok(answer.body.as_ptr().cast())
    })
}

/// How many headers there are; a name that comes twice counts twice. 0 if it is no answer.
///
/// # Safety
///
/// An answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_header_count(
    response: *const hvloop_http_response,
) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { answer(response) }.map(|answer| answer.fields.count()))
}

/// The n-th header, counted from 0: its name and its value. 0 or a negative `hvloop_error`: there are not so many.
///
/// # Safety
///
/// An answer; each NULL, or a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_header(
    response: *const hvloop_http_response,
    n: usize,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let found = unsafe { answer(response)? }.fields.nth(n)?;
        // SAFETY: the caller's word.
        unsafe { put(name, found.0) };
        // SAFETY: the caller's word.
        unsafe { put(value, found.1) };
        Ok(())
    })
}

/// The value of the first header of that name, in whatever case. NULL: there is none.
///
/// # Safety
///
/// An answer, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_response_find(
    response: *const hvloop_http_response,
    name: *const c_char,
) -> *const c_char {
    boundary(|| {
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        // SAFETY: the caller's word.
        unsafe { answer(response)? }.fields.find(name)
    })
}
