//! What the tests of several programs use: running loops, peers that do what they are told, and our clients and
//! servers with a record of what they saw. Nothing of it knows a test. Helpers without hvloop are in `tests/support`.
#![allow(dead_code, unused_macros, reason = "no test program uses all of it")]

pub mod alone;
pub mod loops;
pub mod net;
pub mod pace;
#[cfg(unix)]
pub mod proxies;
#[cfg(unix)]
pub mod socket_path;
pub mod tcp_client;
pub mod tcp_server;
pub mod ws_client;
pub mod ws_peer;
pub mod ws_server;
