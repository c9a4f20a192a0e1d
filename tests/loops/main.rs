//! What a loop must not take for granted: that its ids are its own, that work ends, that it is run at
//! all, that others run, and that foreign code returns.
#![allow(clippy::unwrap_used)]

#[path = "../common/net.rs"]
#[allow(dead_code, reason = "shared with the tests of servers")]
mod net;

mod balance;
mod drain;
mod host;
mod ids;
mod owners;
mod panics;
