//! Against WebSocket peers that are not ours, over ws and wss: our client and their servers, our server and
//! their clients. The set-ups (`tests/interop/setup.sh`, `tests/foreign_peers/setup.sh`) install them.
#![allow(clippy::unwrap_used)]

mod clients;
#[allow(dead_code, reason = "shared with test programs that use more of it")]
#[path = "../common/net.rs"]
mod net;
mod our_server;
#[cfg(unix)]
mod page;
mod servers;
