//! Connections on the loop: connecting, reading, writing, ending.

pub(crate) mod budget;
pub(crate) mod conn;
mod connect;
mod dispatch;
mod end;
mod flush;
mod out_queue;
#[cfg(feature = "tls")]
mod secure;
