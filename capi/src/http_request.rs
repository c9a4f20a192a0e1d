//! HTTP requests, as C sees them.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::{address_text, put_address, put_text};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{put, text};
use crate::http_fields::HttpFields;
use hvloop::Address;
use hvloop::ws::handshake::HttpRequest;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

/// A request. It is valid for the time of the callback that gets it, as are all texts of it, which are the
/// bytes that came and need not be in UTF-8.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_http_request {
    _private: (),
}

/// See [`hvloop_http_request`].
pub(crate) struct HttpRequestBody {
    method: CString,
    path: CString,
    query: Option<CString>,
    fields: HttpFields,
    body: Vec<u8>,
    peer: Option<Address>,
}

impl Opaque for hvloop_http_request {
    type Body = HttpRequestBody;
    const KIND: usize = 42;
}

/// Shows a request to C.
pub(crate) fn show(request: &HttpRequest) -> Arc<Object<hvloop_http_request>> {
    // None of them can hold a NUL.
    let text = |text: &str| CString::new(text).unwrap_or_default();
    Object::new(HttpRequestBody {
        method: text(request.method.as_str()),
        path: text(&request.path),
        query: request.query.as_deref().map(text),
        fields: HttpFields::from_headers(&request.headers),
        body: request.body().to_vec(),
        peer: request.peer().cloned(),
    })
}

/// The method, such as "GET". NULL if it is no request.
///
/// # Safety
///
/// A request, inside its callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_method(
    request: *const hvloop_http_request,
) -> *const c_char {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::get(request) }.map(|object| object.body.method.as_ptr()))
}

/// The path, percent-encoded as the client spelled it, without the query. It begins with "/", or is "*". NULL if
/// it is no request.
///
/// # Safety
///
/// A request, inside its callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_path(
    request: *const hvloop_http_request,
) -> *const c_char {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::get(request) }.map(|object| object.body.path.as_ptr()))
}

/// What stands behind the "?" of the target. NULL: there is none.
///
/// # Safety
///
/// A request, inside its callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_query(
    request: *const hvloop_http_request,
) -> *const c_char {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(request)? };
        let none = || Failure::new(hvloop_error::NotFound, "the request has no query");
        Ok(object.body.query.as_ref().ok_or_else(none)?.as_ptr())
    })
}

/// How many headers there are; a name that comes twice counts twice. 0 if it is no request.
///
/// # Safety
///
/// A request, inside its callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_header_count(
    request: *const hvloop_http_request,
) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::get(request) }.map(|object| object.body.fields.count()))
}

/// The n-th header, counted from 0: its name, in lower case, and its value. 0 or a negative `hvloop_error`: there
/// are not so many.
///
/// # Safety
///
/// A request, inside its callback; each NULL, or a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_header(
    request: *const hvloop_http_request,
    n: usize,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let fields = unsafe { &handle::get(request)?.body.fields };
        let found = fields.nth(n)?;
        // SAFETY: the caller's word.
        unsafe { put(name, found.0) };
        // SAFETY: the caller's word.
        unsafe { put(value, found.1) };
        Ok(0)
    })
}

/// The value of the first header of that name, in whatever case. NULL: there is none.
///
/// # Safety
///
/// A request, inside its callback, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_find(
    request: *const hvloop_http_request,
    name: *const c_char,
) -> *const c_char {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(request)? };
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        object.body.fields.find(name)
    })
}

/// The body, and in `size`, if that is not NULL, how long it is. NULL if it is no request.
///
/// # Safety
///
/// A request, inside its callback; NULL, or a place for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_body(
    request: *const hvloop_http_request,
    size: *mut usize,
) -> *const c_void {
    boundary(|| {
        // SAFETY: the caller's word.
        let body = unsafe { &handle::get(request)?.body.body };
        // SAFETY: the caller's word.
        unsafe { put(size, body.len()) };
        Ok(body.as_ptr().cast())
    })
}

/// Writes the address of the client to a `struct sockaddr_storage`: of IPv4, IPv6 or a Unix socket. `length` says how
/// much room there is, and gets what is used. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A request, inside its callback; so many bytes, and their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_peer(
    request: *const hvloop_http_request,
    address: *mut c_void,
    length: *mut u32,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let peer = unsafe { peer(request)? };
        // SAFETY: the caller's word.
        unsafe { put_address(peer, address, length) }
    })
}

/// Writes the address of the client as text, such as "127.0.0.1:80", with a NUL behind it: as much of it as there is
/// room. How long all of it is, or a negative `hvloop_error`.
///
/// # Safety
///
/// A request, inside its callback; so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_http_request_peer_text(
    request: *const hvloop_http_request,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let peer = unsafe { peer(request)? };
        // SAFETY: the caller's word.
        unsafe { put_text(&address_text(peer), buffer, size) }
    })
}

/// Who asks.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn peer<'a>(request: *const hvloop_http_request) -> Outcome<&'a Address> {
    // SAFETY: the caller's word.
    let object = unsafe { handle::get(request)? };
    let none = || Failure::new(hvloop_error::NotFound, "the client has no address");
    object.body.peer.as_ref().ok_or_else(none)
}
