//! `WebSocketServer` against peers that behave, misbehave and vanish, by the hazard's name, over ws
//! and wss where it applies.
#![allow(clippy::unwrap_used)]

mod closing;
#[path = "../common/mod.rs"]
mod common;
mod deadlines;
mod deflate;
mod floods;
mod flow;
mod hostile;
mod http;
mod memory;
mod memory_limit;
mod messages;
mod plain_http;
mod pressure;
mod slow_callbacks;
mod strict;
mod topics;
mod unfinished;
#[cfg(unix)]
mod unix;
mod upgrade;
