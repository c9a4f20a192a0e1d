//! WebSockets of the C ABI: its functions called as a program in C calls them.
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    clippy::missing_safety_doc,
    reason = "C has no such words: what the functions ask for holds in all of these tests"
)]

mod arguments;
mod client;
mod lifetime;
mod open_anew;
mod server;
mod support;
mod tls;
