//! Loops that Rust and C share: [`share`] gives C a handle of a Rust program's loop, [`event_loop`] has the loop
//! behind a handle that C made.

use crate::event_loop::{LoopBody, hvloop_loop};
use crate::ffi::handle::{self, Object};
use hvloop::EventLoop;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The handle of each loop that C knows of: there is one, as programs compare them.
static HANDLES: Mutex<BTreeMap<u64, Weak<Object<hvloop_loop>>>> = Mutex::new(BTreeMap::new());

/// A handle of a loop for C, with one count, which `hvloop_loop_release` gives back. A loop has one handle,
/// however often it is shared.
pub fn share(event_loop: &EventLoop) -> *mut hvloop_loop {
    give(event_loop)
}

/// The loop behind a handle. `None`: it is NULL, or none.
///
/// # Safety
///
/// NULL, or a handle that some function of the ABI gave and that is not released yet.
pub unsafe fn event_loop(handle: *const hvloop_loop) -> Option<EventLoop> {
    // SAFETY: the caller's word.
    unsafe { crate::event_loop::event_loop(handle) }
        .ok()
        .cloned()
}

pub(crate) fn give(event_loop: &EventLoop) -> *mut hvloop_loop {
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let number = event_loop.id().raw();
    if let Some(object) = handles.get(&number).and_then(Weak::upgrade) {
        return handle::give(object);
    }
    handles.retain(|_, object| object.strong_count() > 0);
    let object = Object::new(LoopBody::new(event_loop.clone()));
    handles.insert(number, Arc::downgrade(&object));
    handle::give(object)
}
