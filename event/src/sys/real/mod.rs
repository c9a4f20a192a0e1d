//! The real world: mio, std and the operating system.

pub(crate) mod clock;
pub(crate) mod dns;
pub(crate) mod entropy;
pub(crate) mod poller;
pub(crate) mod tcp;
pub(crate) mod thread;
