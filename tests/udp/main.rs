//! UDP sockets, clients and servers.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod sockets;
