//! Connections and other sources on the loop: connecting, accepting, reading, writing, ending.

pub(crate) mod accept;
pub(crate) mod budget;
pub(crate) mod conn;
mod connect;
pub(crate) mod datagram;
mod dispatch;
mod end;
mod flood;
mod flush;
mod out_queue;
mod quiet;
#[cfg(feature = "tls")]
mod secure;
pub(crate) mod settings;
pub(crate) mod transport;
mod tunnel;
