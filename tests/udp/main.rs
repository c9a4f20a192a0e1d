//! UDP sockets, clients and servers.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod made;
mod sockets;
