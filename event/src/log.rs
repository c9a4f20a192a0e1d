//! Log lines that cannot harm the loop: a user's logger may panic, and so may what it prints.
//!
//! `log::error!` and its like, where this module is in scope. The crate `log` itself has another name
//! in the manifests, so that no line can go around this.

use crate::panic::drop_payload;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use crate::{
    __hvloop_debug as debug, __hvloop_error as error, __hvloop_info as info, __hvloop_warn as warn,
};
pub use log_facade as facade;

/// Writes a line. If that panics, the line is lost, and nothing else.
pub fn guarded(write: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(write)) {
        drop_payload(payload);
    }
}

/// A line of that level.
#[doc(hidden)]
#[macro_export]
macro_rules! __hvloop_log {
    ($level:ident, $($line:tt)+) => {
        $crate::log::guarded(|| {
            $crate::log::facade::log!($crate::log::facade::Level::$level, $($line)+)
        })
    };
}

/// See the module.
#[doc(hidden)]
#[macro_export]
macro_rules! __hvloop_error {
    ($($line:tt)+) => { $crate::__hvloop_log!(Error, $($line)+) };
}

/// See the module.
#[doc(hidden)]
#[macro_export]
macro_rules! __hvloop_warn {
    ($($line:tt)+) => { $crate::__hvloop_log!(Warn, $($line)+) };
}

/// See the module.
#[doc(hidden)]
#[macro_export]
macro_rules! __hvloop_info {
    ($($line:tt)+) => { $crate::__hvloop_log!(Info, $($line)+) };
}

/// See the module.
#[doc(hidden)]
#[macro_export]
macro_rules! __hvloop_debug {
    ($($line:tt)+) => { $crate::__hvloop_log!(Debug, $($line)+) };
}
