//! What a server does with the connections of a path.

use super::callbacks::{WsCallbacks, hvloop_ws_callbacks};
use super::limits::{deflate, limits};
use crate::error::Outcome;
use crate::ffi::boundary::{boundary, status};
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{millis, some_millis, text};
use crate::http_callback::{HttpCallback, hvloop_http_callback};
use crate::io::lock;
use hvloop::ServiceOptions;
use hvloop::ws::handshake::Accept;
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex, Weak};

/// What a server does with the connections of a path; also of several paths, and of several servers. Freed by
/// `hvloop_ws_service_free`. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_ws_service {
    _private: (),
}

/// See [`hvloop_ws_service`].
#[derive(Default)]
pub(crate) struct ServiceBody {
    callbacks: Mutex<Option<Arc<WsCallbacks>>>,
    upgrade: Mutex<Option<Arc<HttpCallback>>>,
    options: Mutex<ServiceOptions>,
    subprotocols: Mutex<Vec<String>>,
    /// Those of where it is in use.
    gates: Mutex<Vec<Weak<Gate>>>,
}

impl Opaque for hvloop_ws_service {
    type Body = ServiceBody;
    const KIND: usize = 46;
}

impl ServiceBody {
    /// It is in use where this one is, which ends with it.
    pub(super) fn enter(&self, gate: &Arc<Gate>) {
        let mut gates = lock(&self.gates);
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Arc::downgrade(gate));
    }

    pub(super) fn options(&self) -> ServiceOptions {
        lock(&self.options).clone()
    }

    pub(super) fn callbacks(&self) -> Option<Arc<WsCallbacks>> {
        lock(&self.callbacks).clone()
    }

    pub(super) fn upgrade(&self) -> Option<Arc<HttpCallback>> {
        lock(&self.upgrade).clone()
    }

    /// The first subprotocol that is offered.
    pub(super) fn subprotocol(&self, offered: impl Fn(&str) -> bool) -> Option<String> {
        let subprotocols = lock(&self.subprotocols);
        subprotocols.iter().find(|name| offered(name)).cloned()
    }
}

/// The service behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn service<'a>(service: *const hvloop_ws_service) -> Outcome<&'a ServiceBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(service) }.map(|object| &object.body)
}

/// A service that accepts every upgrade. NULL if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_ws_service_new() -> *mut hvloop_ws_service {
    boundary(|| Ok(handle::give(Object::new(ServiceBody::default()))))
}

/// Frees a service: none of its callbacks runs any more when this returns, which waits for those that run on other
/// threads. Its connections stay; upgrades to it are refused with 503. NULL is allowed.
///
/// # Safety
///
/// NULL, or a service that nobody uses any more, but for servers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_free(service: *mut hvloop_ws_service) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(service) }.map(|service| free(service, true)))
}

/// As `hvloop_ws_service_free`, but waits for nothing: callbacks that run on other threads go on.
///
/// # Safety
///
/// As `hvloop_ws_service_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_free_nowait(service: *mut hvloop_ws_service) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(service) }.map(|service| free(service, false)))
}

fn free(object: Option<Arc<Object<hvloop_ws_service>>>, wait: bool) {
    let Some(object) = object else { return };
    let body = &object.body;
    let gates: Vec<_> = lock(&body.gates).iter().filter_map(Weak::upgrade).collect();
    for gate in &gates {
        gate.shut();
    }
    for gate in gates.iter().filter(|_| wait) {
        gate.wait();
    }
    let callbacks = lock(&body.callbacks).take();
    let upgrade = lock(&body.upgrade).take();
    // With nothing locked.
    drop((callbacks, upgrade));
}

/// What is called of its connections, in the place of what was; it holds at once, for all of them. 0 or a negative
/// `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A service; the callbacks may be called, and dropped, on the threads of the servers' loops, several at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_callbacks(
    service: *const hvloop_ws_service,
    callbacks: hvloop_ws_callbacks,
) -> c_int {
    status(|| {
        let callbacks = WsCallbacks::new(callbacks);
        // SAFETY: the caller's word.
        let body = unsafe { self::service(service)? };
        let before = lock(&body.callbacks).replace(callbacks);
        // With nothing locked.
        drop(before);
        Ok(())
    })
}

/// Asked with each proper request for an upgrade, in the place of what was asked before. It returns 0 to accept it,
/// with the headers of the answer, of which a Sec-WebSocket-Protocol chooses a subprotocol; else it is refused with
/// the answer, whose status is 403 unless another one is set. 0 or a negative `hvloop_error`; `drop` was called
/// then.
///
/// # Safety
///
/// As `hvloop_ws_service_set_callbacks`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_on_upgrade(
    service: *const hvloop_ws_service,
    callback: hvloop_http_callback,
) -> c_int {
    status(|| {
        let callback = HttpCallback::new(callback)?;
        // SAFETY: the caller's word.
        let body = unsafe { self::service(service)? };
        let before = lock(&body.upgrade).replace(callback);
        // With nothing locked.
        drop(before);
        Ok(())
    })
}

/// Speaks this subprotocol; of several the first one that was added and that the client offers is chosen, unless an
/// upgrade's answer chooses another one. 0 or a negative `hvloop_error`: it is none.
///
/// # Safety
///
/// A service, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_add_subprotocol(
    service: *const hvloop_ws_service,
    name: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        drop(Accept::new().subprotocol(name)?);
        // SAFETY: the caller's word.
        let body = unsafe { self::service(service)? };
        lock(&body.subprotocols).push(name.to_owned());
        Ok(())
    })
}

/// Changes the options, which servers take as they get the service.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn set(
    service: *const hvloop_ws_service,
    f: impl FnOnce(ServiceOptions) -> Outcome<ServiceOptions>,
) -> Outcome {
    // SAFETY: the caller's word.
    let body = unsafe { self::service(service)? };
    let mut options = lock(&body.options);
    *options = f(options.clone())?;
    Ok(())
}

/// Sends a Ping when nothing came for so many milliseconds; 0 or -1: never. Before a server gets the service.
/// Default 30,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_ping_interval(
    service: *const hvloop_ws_service,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(service, |options| Ok(options.ping_interval(millis(ms)?))) })
}

/// How long after an unanswered Ping a peer that sends nothing counts as dead, in milliseconds. Before a server gets
/// the service. Default 10,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_pong_timeout(
    service: *const hvloop_ws_service,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe {
        set(
            service,
            |options| Ok(options.pong_timeout(some_millis(ms)?)),
        )
    })
}

/// How long a peer may take to answer a Close, in milliseconds. Before a server gets the service. Default 5,000. 0
/// or a negative `hvloop_error`.
///
/// # Safety
///
/// A service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_close_timeout(
    service: *const hvloop_ws_service,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe {
        set(service, |options| {
            Ok(options.close_timeout(some_millis(ms)?))
        })
    })
}

/// The most bytes that a message of a peer may have; one that has more closes the connection with 1009. Before a
/// server gets the service. Default 64 MiB, 16 MiB of them in a frame. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_max_message_size(
    service: *const hvloop_ws_service,
    size: usize,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(service, |options| Ok(options.limits(limits(size)))) })
}

/// 1: compresses messages of clients that offer it (permessage-deflate); 0, the default: does not. Before a server
/// gets the service. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_ws_service_set_deflate(
    service: *const hvloop_ws_service,
    on: c_int,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { set(service, |options| Ok(options.deflate(deflate(on)?))) })
}
