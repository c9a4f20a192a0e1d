//! Through proxies: HTTP CONNECT and SOCKS5, as WebSocket and as TCP, plain and with TLS. These proxies
//! are scripted; `tests/foreign_peers` has those of others.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod misbehaving;
mod scripts;
mod tcp;
mod through;
