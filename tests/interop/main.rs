//! Against what is not ours. Over ws and wss: our client and others' servers, our server and others' clients
//! (`setup.sh` installs them); and programs: `openssl`, `nc`, proxies (`programs.sh`).
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod certificates;
mod clients;
#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod http;
mod our_server;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod programs;
#[cfg(unix)]
mod proxies;
mod servers;
