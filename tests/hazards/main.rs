//! One test per hazard of a loop's shutdown, by the hazard's name, on real sockets, over ws and wss.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod exits;
mod lifetime;
mod phases;
mod plain;
mod races;
mod stop;
mod timers;
