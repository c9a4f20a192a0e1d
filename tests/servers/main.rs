//! Servers through their public API: TCP, TLS, Unix and UDP on real sockets, with peers that are
//! blocking sockets of std and rustls.
#![allow(clippy::unwrap_used)]

mod accept;
mod broken_input;
mod clients;
mod common;
mod deadlines;
mod floods;
mod half_open;
mod hostile;
mod load;
mod moves;
#[path = "../common/net.rs"]
mod net;
#[path = "../common/pace.rs"]
mod pace;
mod pools;
mod serve;
#[cfg(target_os = "linux")]
mod short_reads;
#[cfg(unix)]
#[path = "../common/socket_path.rs"]
mod socket_path;
mod stop;
mod tls;
mod udp;
mod unix;
#[cfg(target_os = "linux")]
mod unix_names;
