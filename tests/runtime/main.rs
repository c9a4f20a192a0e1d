//! The runtime through its public API: timers, tasks, lookups, the loop's life, and `TcpClient` over
//! plain TCP and TLS on real sockets.
#![allow(clippy::unwrap_used)]

mod checks;
mod common;
mod dns;
mod drain;
mod itself;
mod life;
mod pause;
mod pool;
mod tasks;
mod tcp;
mod tcp_end;
mod tcp_fail;
mod timers;
mod zones;
