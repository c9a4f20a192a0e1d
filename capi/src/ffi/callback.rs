//! What C has called.

use crate::error::{Failure, Outcome, hvloop_error};
use std::ffi::c_void;

/// How C's data are given up.
pub(crate) type DropData = unsafe extern "C" fn(data: *mut c_void);

/// Data of C's, which are given up exactly once: when this is dropped.
pub(crate) struct Data {
    data: *mut c_void,
    drop: Option<DropData>,
}

// SAFETY: who gives data with a callback, or a binding, lets them be used on the loop's thread and given up
// there: a rule of the ABI.
unsafe impl Send for Data {}
// SAFETY: it only hands the pointer out; what it points to is C's to guard.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn new(data: *mut c_void, drop: Option<DropData>) -> Self {
        Self { data, drop }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: called once, after the last call, as whoever gave it was promised.
            unsafe { drop(self.data) }
        }
    }
}

/// A function of C's, and what it is called with.
pub(crate) struct Callback<F> {
    call: F,
    data: Data,
}

impl<F: Copy> Callback<F> {
    /// One that has to be there.
    ///
    /// # Errors
    ///
    /// It is NULL. The data were given up.
    pub(crate) fn new(call: Option<F>, drop: Option<DropData>, data: *mut c_void) -> Outcome<Self> {
        let data = Data::new(data, drop);
        match call {
            Some(call) => Ok(Self { call, data }),
            None => Err(Failure::new(hvloop_error::Null, "the callback is NULL")),
        }
    }

    /// The function, for a call with [`data`](Self::data).
    pub(crate) fn function(&self) -> F {
        self.call
    }

    pub(crate) fn data(&self) -> *mut c_void {
        self.data.as_ptr()
    }
}
