//! Names of hosts.

use crate::error::Failure;
use crate::event_loop::hvloop_loop;
use crate::ffi::address::system_address;
use crate::ffi::boundary::status;
use crate::ffi::callback::Callback;
use crate::ffi::text::{put, text};
use hvloop::DnsQuery;
use socket2::SockAddrStorage;
use std::ffi::{CString, c_char, c_int, c_void};
use std::net::SocketAddr;
use std::ptr;

/// Who is told the addresses of a host: `call(data, addresses, count, error)`, once, on the loop's thread.
/// `addresses` are so many `struct sockaddr_storage`; `error` is NULL, or says why there are none. Both are valid for
/// the call. `drop(data)`, unless it is NULL, comes exactly once, after the call or in its place: on the loop's
/// thread, or before the function returns that refuses it.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_dns_callback {
    /// What is called. Not NULL.
    pub call: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            addresses: *const c_void,
            count: usize,
            error: *const c_char,
        ),
    >,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

/// Looks up the addresses of a host, which get that port, on a thread of its own. `id`, if it is not NULL, gets a
/// number for `hvloop_loop_cancel_resolve`. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; a text that ends with a NUL; the callback may be called, and dropped, on the loop's thread; NULL, or a
/// place for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_resolve(
    event_loop: *const hvloop_loop,
    host: *const c_char,
    port: c_int,
    callback: hvloop_dns_callback,
    id: *mut u64,
) -> c_int {
    status(|| {
        let told = Callback::new(callback.call, callback.drop, callback.data)?;
        // SAFETY: the caller's word.
        let host = unsafe { text(host)? };
        let port =
            u16::try_from(port).map_err(|_| Failure::argument(format!("{port} is no port")))?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { crate::event_loop::event_loop(event_loop)? };
        let query = event_loop.resolve_dns(host, move |answer| {
            let (addresses, error) = match answer {
                Ok(addresses) => (addresses, None),
                Err(error) => (Vec::new(), CString::new(error.to_string()).ok()),
            };
            let addresses: Vec<SockAddrStorage> = addresses
                .into_iter()
                .map(|ip| system_address(SocketAddr::new(ip, port)).as_storage())
                .collect();
            let error = error.as_ref().map_or(ptr::null(), |error| error.as_ptr());
            // SAFETY: what is called, and with what, is C's own; on the loop's thread.
            unsafe {
                told.function()(
                    told.data(),
                    addresses.as_ptr().cast(),
                    addresses.len(),
                    error,
                );
            }
        })?;
        // SAFETY: the caller's word.
        unsafe { put(id, query.raw()) };
        Ok(())
    })
}

/// Gives a lookup up: its callback is dropped. On the loop's thread it is not called after this; from another one it
/// still may be until the loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_cancel_resolve(
    event_loop: *const hvloop_loop,
    id: u64,
) -> c_int {
    status(|| {
        let query = DnsQuery::from_raw(id).ok_or_else(|| Failure::argument("0 is no id"))?;
        // SAFETY: the caller's word.
        Ok(unsafe { crate::event_loop::event_loop(event_loop)? }.cancel_dns(query)?)
    })
}
