//! A client and a server in C++, by the headers, and peers of other kinds over ws and wss: Python's `websockets`,
//! which `tests/interop/setup.sh` installs, and hvloop's own in Rust.

mod client;
mod programs;
mod server;
#[path = "../support/mod.rs"]
mod support;
