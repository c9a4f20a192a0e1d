//! What is on a loop: connections, the listeners they come from, and datagram sockets.

pub(crate) mod budget;
pub mod conn;
pub(crate) mod connection;
pub(crate) mod datagram;
pub(crate) mod detached;
pub(crate) mod listener;
mod out_queue;
pub(crate) mod settings;
