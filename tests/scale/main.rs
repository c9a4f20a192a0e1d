//! Ten thousand of something, and one `stop()`. Each test compares open files, so that it runs in a process of its
//! own, one after the other; their peers are further processes.
#![allow(clippy::unwrap_used)]

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod tcp_server;
mod ws_server;
