//! `WebSocketServer` against peers that behave, misbehave and vanish, by the hazard's name, over ws
//! and wss where it applies.
#![allow(clippy::unwrap_used)]

mod closing;
mod deadlines;
mod deflate;
mod floods;
mod flow;
mod hostile;
mod load;
mod memory;
mod messages;
#[path = "../common/net.rs"]
mod net;
#[path = "../common/pace.rs"]
mod pace;
mod peer;
mod plain_http;
mod recorded;
#[cfg(unix)]
#[path = "../common/socket_path.rs"]
mod socket_path;
mod stops;
mod strict;
mod topics;
mod unfinished;
#[cfg(unix)]
mod unix;
mod upgrade;
