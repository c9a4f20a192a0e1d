//! The floor: epoll, reads and writes, and frames made beforehand. No protocol but a count of bytes.

mod client;
mod peer;
mod server;
mod wire;

pub use client::client;
pub use server::{listener, server};
