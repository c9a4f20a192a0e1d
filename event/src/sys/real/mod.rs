//! The real world: mio, std and the operating system.

pub(crate) mod clock;
pub(crate) mod datagram;
pub(crate) mod dns;
pub(crate) mod entropy;
pub(crate) mod foreign;
pub(crate) mod listener;
pub(crate) mod made;
mod options;
pub(crate) mod poller;
#[cfg(unix)]
pub(crate) mod signal;
mod sleep;
pub(crate) mod stream;
pub(crate) mod thread;
#[cfg(unix)]
mod unix_name;
