//! What is on a loop beside connections: descriptors of the user's, a host's loop around it, idle
//! callbacks, timers by the calendar, contexts.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;
mod fds;
mod host;
mod idle;
mod timers;
