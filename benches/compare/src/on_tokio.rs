//! The frame of the peers on tokio: one thread, a task for each connection, TLS by tokio-rustls.

mod client;
mod server;
mod sink;
pub mod upgrade;

pub use client::{Client, Talk, client};
pub use server::{Server, server};
pub use sink::{echo, talk};

use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a WebSocket is on: TCP, or TLS on it.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

fn block_on<F: Future>(future: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// Runs a connection in a task of its own, without tokio's budget, as the examples of these libraries do.
fn spawn(f: impl Future<Output = crate::Result<()>> + Send + 'static) {
    tokio::spawn(tokio::task::unconstrained(async move {
        if let Err(e) = f.await {
            crate::control::fail(&e);
        }
    }));
}
