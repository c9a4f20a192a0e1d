//! `WebSocketClient` against peers that behave, misbehave and vanish, by the hazard's name, over ws and
//! wss where it applies, and through proxies.
#![allow(clippy::unwrap_used)]

mod alpn;
mod answers;
mod before_connect;
mod close;
#[path = "../common/mod.rs"]
mod common;
mod connect;
mod connection;
mod deadlines;
mod deflate;
mod flow;
mod fragments;
mod handshake;
mod hostile;
mod masks;
mod messages;
#[cfg(unix)]
mod misbehaving_proxies;
mod pausing;
#[cfg(unix)]
mod proxies;
mod receiver;
mod reconnect;
mod redirects;
mod refusals;
mod slow_callbacks;
mod socket;
mod tls;
mod unfinished;
