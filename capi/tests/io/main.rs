//! Streams, datagrams and descriptors through the functions that C calls.
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the tests are C here"
)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod foreign;
mod freed;
mod recorder;
mod streams;
mod support;
mod tcp_client;
mod tcp_server;
mod udp;
mod unpack;
