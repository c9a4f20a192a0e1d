//! The end: of a loop, of what is on it, and of what holds on to it; one test a hazard, by the hazard's name, on
//! real sockets, over ws and wss (or TCP and TLS).
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod drain;
mod drain_ends;
mod exits;
mod handles;
mod inside;
mod lifetime;
mod phases;
mod plain;
mod races;
mod reopen;
mod stop;
mod stopping;
mod tcp_servers;
mod ws_servers;
