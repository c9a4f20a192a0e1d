//! `TcpClient` and `TcpServer` through their public API: TCP, TLS and Unix sockets, with peers that are scripted,
//! or blocking sockets of std and rustls.
#![allow(clippy::unwrap_used)]

mod accept;
mod broken_input;
mod client;
mod client_again;
mod client_ends;
mod client_failures;
#[path = "../common/mod.rs"]
mod common;
mod deadlines;
mod floods;
mod half_open;
#[cfg(target_os = "linux")]
mod handles;
mod hostile;
#[cfg(target_os = "linux")]
mod made;
mod memory_limit;
mod moves;
mod policies;
mod pools;
mod pressure;
#[cfg(unix)]
mod proxies;
mod serve;
#[cfg(target_os = "linux")]
mod short_reads;
mod slow_callbacks;
mod tls;
mod to_itself;
#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
mod unix_names;
mod zones;
